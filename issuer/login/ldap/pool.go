package ldap

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/reload"
)

// maxFile limits the files of certificates and passwords.
const maxFile = 1 << 20

// conn is an LDAP connection and its network connection. The deadline of the latter limits all operations together,
// including the TLS handshake of StartTLS, which the library does not limit.
type conn struct {
	*ldap.Conn
	raw net.Conn
	// idleTimer closes the connection after maxIdle.
	idleTimer *time.Timer
}

// maxIdle is the maximum idle time of a connection. Firewalls and load balancers silently drop connections after
// longer times.
const maxIdle = time.Minute

// pool is a connection pool of limited size. Connections in use have the deadline of the login.
type pool struct {
	settings *config.LDAP
	// slots has one element per connection in use.
	slots chan struct{}
	idle  chan *conn
}

func newPool(settings *config.LDAP) *pool {
	n := settings.Connections
	return &pool{settings: settings, slots: make(chan struct{}, n), idle: make(chan *conn, n)}
}

// get returns a connection with the deadline of ctx. Unless fresh is set, it may be reused. It returns ErrBusy if all
// connections are in use.
func (p *pool) get(ctx context.Context, fresh bool) (c *conn, reused bool, err error) {
	if ctx.Err() != nil { // select would choose randomly
		return nil, false, login.ErrBusy
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, false, login.ErrBusy
	}
	deadline, _ := ctx.Deadline() // the caller has set a deadline
	for !fresh {
		select {
		case c := <-p.idle:
			if !c.idleTimer.Stop() || c.raw.SetDeadline(deadline) != nil || c.IsClosing() {
				_ = c.Close()
				continue
			}
			return c, true, nil
		default:
		}
		break
	}
	c, err = p.dial(deadline)
	if err != nil {
		<-p.slots
		return nil, false, fmt.Errorf("%w: %w", login.ErrDown, err)
	}
	return c, false, nil
}

func (p *pool) put(c *conn, broken bool) {
	defer func() { <-p.slots }()
	if broken || c.raw.SetDeadline(time.Time{}) != nil {
		_ = c.raw.Close() // closing TLS first could block on a stalled server
		_ = c.Close()
		return
	}
	c.idleTimer = time.AfterFunc(maxIdle, func() { _ = c.raw.Close() })
	select {
	case p.idle <- c:
	default:
		_ = c.Close()
	}
}

func (p *pool) close() {
	for {
		select {
		case c := <-p.idle:
			_ = c.Close()
		default:
			return
		}
	}
}

// dial opens a TLS connection before the deadline.
func (p *pool) dial(deadline time.Time) (*conn, error) {
	u, err := url.Parse(p.settings.URL)
	if err != nil {
		return nil, err
	}
	trust, err := p.tlsConfig(u.Hostname())
	if err != nil {
		return nil, err
	}
	port := ldap.DefaultLdapsPort
	if p.settings.StartTLS {
		port = ldap.DefaultLdapPort
	}
	dialer := &net.Dialer{Deadline: deadline}
	raw, err := dialer.Dial("tcp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)))
	if err != nil {
		return nil, err
	}
	c := &conn{raw: raw}
	err = raw.SetDeadline(deadline)
	if err == nil {
		err = c.startTLS(trust, p.settings)
	}
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return c, nil
}

// startTLS performs the TLS handshake, directly or after StartTLS (RFC 4511 section 4.14).
func (c *conn) startTLS(trust *tls.Config, settings *config.LDAP) error {
	if settings.StartTLS {
		c.Conn = ldap.NewConn(c.raw, false)
		c.SetTimeout(time.Duration(settings.Timeout))
		c.Start()
		err := c.StartTLS(trust)
		if err != nil {
			_ = c.Close() // stops its goroutines
		}
		return err
	}
	secured := tls.Client(c.raw, trust)
	if err := secured.Handshake(); err != nil {
		return err
	}
	c.Conn = ldap.NewConn(secured, true)
	c.SetTimeout(time.Duration(settings.Timeout))
	c.Start()
	return nil
}

func (p *pool) tlsConfig(host string) (*tls.Config, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if p.settings.CAFile == "" {
		return trust, nil
	}
	b, err := reload.Read(p.settings.CAFile, maxFile)
	if err != nil {
		return nil, err
	}
	trust.RootCAs = x509.NewCertPool()
	if !trust.RootCAs.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s has no PEM certificate", p.settings.CAFile)
	}
	return trust, nil
}

// bindAsSearcher reads the password for each bind, because it may have changed.
func (d *Directory) bindAsSearcher(c *conn) error {
	password, err := readPassword(d.settings.BindPasswordFile)
	if err != nil {
		return err
	}
	if err := c.Bind(d.settings.BindDN, password); err != nil {
		return fmt.Errorf("bind as %s: %w", d.settings.BindDN, err)
	}
	return nil
}

func readPassword(path string) (string, error) {
	b, err := reload.Read(path, maxFile)
	if err != nil {
		return "", err
	}
	password := strings.TrimRight(string(b), "\r\n")
	if password == "" { // the server would perform an anonymous bind
		return "", fmt.Errorf("%s has no password", path)
	}
	return password, nil
}

// CheckFiles checks the files in the settings and returns all errors.
func CheckFiles(settings *config.LDAP) error {
	var wrong []error
	if _, err := (&pool{settings: settings}).tlsConfig(""); err != nil {
		wrong = append(wrong, fmt.Errorf("caFile: %w", err))
	}
	if settings.BindPasswordFile != "" { // without it, the configuration is already invalid
		if _, err := readPassword(settings.BindPasswordFile); err != nil {
			wrong = append(wrong, fmt.Errorf("bindPasswordFile: %w", err))
		}
	}
	return errors.Join(wrong...)
}
