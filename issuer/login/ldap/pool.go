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

// maxFile bounds the files of a certificate and of a password.
const maxFile = 1 << 20

// conn is a connection, and what lies under it: the library bounds neither the TLS handshake of StartTLS nor several
// operations together, and a deadline down there bounds all.
type conn struct {
	*ldap.Conn
	raw net.Conn
	// aging closes it when it was idle for too long.
	aging *time.Timer
}

// maxIdle is how long a connection may be idle: firewalls and load balancers forget it some time later, without a word.
const maxIdle = time.Minute

// pool holds a bounded number of connections. Those in use have the deadline of the login that uses them.
type pool struct {
	settings *config.LDAP
	// slots has an element for each connection that may be in use.
	slots chan struct{}
	idle  chan *conn
}

func newPool(settings *config.LDAP) *pool {
	n := settings.Connections
	return &pool{settings: settings, slots: make(chan struct{}, n), idle: make(chan *conn, n)}
}

// get returns a connection, one that was used before unless it must be fresh, until the deadline of the context. ErrBusy is
// that all are in use.
func (p *pool) get(ctx context.Context, fresh bool) (c *conn, reused bool, err error) {
	if ctx.Err() != nil { // select would choose at random
		return nil, false, login.ErrBusy
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, false, login.ErrBusy
	}
	deadline, _ := ctx.Deadline() // the caller has set one
	for !fresh {
		select {
		case c := <-p.idle:
			if !c.aging.Stop() || c.raw.SetDeadline(deadline) != nil || c.IsClosing() {
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
		_ = c.raw.Close() // else TLS would take leave of a server that may be stalled
		_ = c.Close()
		return
	}
	c.aging = time.AfterFunc(maxIdle, func() { _ = c.raw.Close() })
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

// dial connects over TLS, until a deadline.
func (p *pool) dial(deadline time.Time) (*conn, error) {
	u, err := url.Parse(p.settings.URL)
	if err != nil {
		return nil, err
	}
	trust, err := p.trust(u.Hostname())
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
		err = c.secure(trust, p.settings)
	}
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return c, nil
}

// secure shakes hands, at once or after StartTLS (RFC 4511 section 4.14).
func (c *conn) secure(trust *tls.Config, settings *config.LDAP) error {
	if settings.StartTLS {
		c.Conn = ldap.NewConn(c.raw, false)
		c.SetTimeout(time.Duration(settings.Timeout))
		c.Start()
		err := c.StartTLS(trust)
		if err != nil {
			_ = c.Close() // ends its goroutines
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

func (p *pool) trust(host string) (*tls.Config, error) {
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
		return nil, fmt.Errorf("%s has no certificate", p.settings.CAFile)
	}
	return trust, nil
}

// bindAsSearcher reads the password each time: it may have been replaced.
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
	if password == "" { // the server would take it for an anonymous bind
		return "", fmt.Errorf("%s has no password", path)
	}
	return password, nil
}

// CheckFiles reads the files that the settings name, and says all that is wrong with them.
func CheckFiles(settings *config.LDAP) error {
	var wrong []error
	if _, err := (&pool{settings: settings}).trust(""); err != nil {
		wrong = append(wrong, fmt.Errorf("caFile: %w", err))
	}
	if settings.BindPasswordFile != "" { // else the configuration is wrong, and says so
		if _, err := readPassword(settings.BindPasswordFile); err != nil {
			wrong = append(wrong, fmt.Errorf("bindPasswordFile: %w", err))
		}
	}
	return errors.Join(wrong...)
}
