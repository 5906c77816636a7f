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
	// maxFile limits the files of certificates and passwords.
	maxFile = 1 << 20
	// maxMessage limits a message of the server, such as a row.
	maxMessage = 1 << 20
	// maxIdle is the maximum idle time of a connection, and maxLife its maximum age, after which a changed password
	// or server address is used.
	maxIdle = time.Minute
	maxLife = 30 * time.Minute
)

// newPool returns an empty pool. Each new connection reads the password and the CA again, because they may have
// changed.
func newPool(ctx context.Context, settings *config.PostgreSQL) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(connectionString(settings))
	if err != nil {
		return nil, errors.New("users.postgresql: the settings are invalid") // the error of the library quotes the settings
	}
	timeout := time.Duration(settings.Timeout)
	c.MaxConns, c.MinConns, c.MaxConnIdleTime, c.MaxConnLifetime, c.MaxConnLifetimeJitter = int32(settings.Connections), 0, maxIdle, maxLife, maxLife/10 //nolint:gosec // at most 1000
	// A reused connection may be dead: if it does not respond, it is replaced, and most of the time is left for the
	// next one.
	c.ShouldPing, c.PingTimeout = func(context.Context, pgxpool.ShouldPingParams) bool { return true }, timeout/4
	// If a host does not respond, time is left for the next one.
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
		trust, err := tlsConfigs(settings)
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

// connectionString returns a libpq connection string (libpq-connect, section 34.1.1.1). TLS is configured per host
// later.
func connectionString(settings *config.PostgreSQL) string {
	var hosts, ports []string
	for _, address := range settings.Hosts() {
		host, port, _ := net.SplitHostPort(address) // created by net.JoinHostPort
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
		{"sslmode", "disable"}, // TLS and the password are set when connecting
		{"password", "not set yet"},
	} {
		fmt.Fprintf(&text, "%s='%s' ", parameter[0], quoted.Replace(parameter[1]))
	}
	return text.String()
}

// tlsConfigs returns a function for the TLS configuration of a host.
func tlsConfigs(settings *config.PostgreSQL) (func(host string) *tls.Config, error) {
	var roots *x509.CertPool
	if settings.CAFile != "" {
		b, err := reload.Read(settings.CAFile, maxFile)
		if err != nil {
			return nil, err
		}
		if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("%s has no PEM certificate", settings.CAFile)
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

// CheckFiles checks the files in the settings and returns all errors.
func CheckFiles(settings *config.PostgreSQL) error {
	var wrong []error
	if _, err := tlsConfigs(settings); err != nil {
		wrong = append(wrong, fmt.Errorf("caFile: %w", err))
	}
	if settings.PasswordFile != "" { // without it, the configuration is already invalid
		if _, err := readPassword(settings.PasswordFile); err != nil {
			wrong = append(wrong, fmt.Errorf("passwordFile: %w", err))
		}
	}
	return errors.Join(wrong...)
}
