package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/reload"
)

const (
	// maxFile bounds the files of a certificate and of a password.
	maxFile = 1 << 20
	// maxMessage bounds what the server says at once, a row for example.
	maxMessage = 1 << 20
	// maxIdle is how long a connection may be idle, and maxLife how old it may become: a new password, or another server behind the name, is used
	// after that.
	maxIdle = time.Minute
	maxLife = 30 * time.Minute
)

// newPool returns a pool without a connection. Each new connection reads the password and the CA anew: they may have been replaced.
func newPool(ctx context.Context, settings *config.PostgreSQL) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(connection(settings))
	if err != nil {
		return nil, errors.New("users.postgresql: the settings cannot be used") // the library quotes them
	}
	timeout := time.Duration(settings.Timeout)
	c.MaxConns, c.MinConns, c.MaxConnIdleTime, c.MaxConnLifetime, c.MaxConnLifetimeJitter = int32(settings.Connections), 0, maxIdle, maxLife, maxLife/10 //nolint:gosec // at most 1000
	// A connection may have died since it was used: one that does not answer is replaced, and most of the time is left for the next one.
	c.ShouldPing, c.PingTimeout = func(context.Context, pgxpool.ShouldPingParams) bool { return true }, timeout/4
	// A host that does not answer leaves time for the next one.
	c.ConnConfig.ConnectTimeout = timeout / time.Duration(len(settings.Hosts()))
	c.ConnConfig.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		f := pgproto3.NewFrontend(r, w)
		f.SetMaxBodyLen(maxMessage)
		return f
	}
	c.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		var err error
		if c.Password, err = readPassword(settings.PasswordFile); err != nil {
			return err
		}
		trust, err := trust(settings)
		if err != nil {
			return err
		}
		c.TLSConfig = trust(c.Host)
		for _, other := range c.Fallbacks {
			other.TLSConfig = trust(other.Host)
		}
		return nil
	}
	return pgxpool.NewWithConfig(ctx, c)
}

// connection is a connection string (libpq-connect, section 34.1.1.1). TLS is set for each host by itself.
func connection(settings *config.PostgreSQL) string {
	var hosts, ports []string
	for _, address := range settings.Hosts() {
		host, port, _ := net.SplitHostPort(address) // joined
		hosts, ports = append(hosts, host), append(ports, port)
	}
	quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	var text strings.Builder
	for _, parameter := range [][2]string{
		{"host", strings.Join(hosts, ",")},
		{"port", strings.Join(ports, ",")},
		{"dbname", settings.Database},
		{"user", settings.User},
		{"target_session_attrs", settings.TargetSessionAttrs},
		{"application_name", "keywright-issuer"},
		{"sslmode", "disable"}, // this and the password follow when it connects
		{"password", "not set yet"},
	} {
		fmt.Fprintf(&text, "%s='%s' ", parameter[0], quoted.Replace(parameter[1]))
	}
	return text.String()
}

// trust returns what a connection to a host has to show.
func trust(settings *config.PostgreSQL) (func(host string) *tls.Config, error) {
	var roots *x509.CertPool
	if settings.CAFile != "" {
		b, err := reload.Read(settings.CAFile, maxFile)
		if err != nil {
			return nil, err
		}
		if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("%s has no certificate", settings.CAFile)
		}
	}
	return func(host string) *tls.Config {
		return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: roots}
	}, nil
}

func readPassword(path string) (string, error) {
	b, err := reload.Read(path, maxFile)
	if err != nil {
		return "", err
	}
	password := strings.TrimRight(string(b), "\r\n")
	if password == "" {
		return "", fmt.Errorf("%s has no password", path)
	}
	return password, nil
}

// CheckFiles reads the files that the settings name, and says all that is wrong with them.
func CheckFiles(settings *config.PostgreSQL) error {
	var wrong []error
	if _, err := trust(settings); err != nil {
		wrong = append(wrong, fmt.Errorf("caFile: %w", err))
	}
	if settings.PasswordFile != "" { // else the configuration is wrong, and says so
		if _, err := readPassword(settings.PasswordFile); err != nil {
			wrong = append(wrong, fmt.Errorf("passwordFile: %w", err))
		}
	}
	return errors.Join(wrong...)
}
