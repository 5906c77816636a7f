package ldap

import (
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
	"github.com/keywright/keywright/issuer/mount"
)

// maxFile bounds the files of a certificate and of a password.
const maxFile = 1 << 20

// pool holds a bounded number of connections.
type pool struct {
	settings *config.LDAP
	// slots has an element for each connection that may be in use.
	slots chan struct{}
	idle  chan *ldap.Conn
}

func newPool(settings *config.LDAP) *pool {
	n := settings.Connections
	return &pool{settings: settings, slots: make(chan struct{}, n), idle: make(chan *ldap.Conn, n)}
}

// get returns a connection, one that was used before unless it must be fresh. ErrBusy is that all are in use.
func (p *pool) get(ctx context.Context, fresh bool) (c *ldap.Conn, reused bool, err error) {
	if ctx.Err() != nil { // select would choose at random
		return nil, false, login.ErrBusy
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, false, login.ErrBusy
	}
	for !fresh {
		select {
		case c := <-p.idle:
			if c.IsClosing() {
				continue
			}
			c.SetTimeout(time.Duration(p.settings.Timeout))
			return c, true, nil
		default:
		}
		break
	}
	c, err = p.dial(ctx)
	if err != nil {
		<-p.slots
		return nil, false, fmt.Errorf("%w: %w", login.ErrDown, err)
	}
	return c, false, nil
}

func (p *pool) put(c *ldap.Conn, broken bool) {
	defer func() { <-p.slots }()
	if broken {
		_ = c.Close()
		return
	}
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

// dial connects over TLS.
func (p *pool) dial(ctx context.Context) (*ldap.Conn, error) {
	u, err := url.Parse(p.settings.URL)
	if err != nil {
		return nil, err
	}
	trust, err := p.trust(u.Hostname())
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline() // the caller has set one
	options := []ldap.DialOpt{ldap.DialWithDialer(&net.Dialer{Deadline: deadline}), ldap.DialWithTLSConfig(trust)}
	c, err := ldap.DialURL(p.settings.URL, options...)
	if err != nil {
		return nil, err
	}
	c.SetTimeout(time.Duration(p.settings.Timeout))
	if p.settings.StartTLS {
		if err := c.StartTLS(trust); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

func (p *pool) trust(host string) (*tls.Config, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if p.settings.CAFile == "" {
		return trust, nil
	}
	b, err := mount.Read(p.settings.CAFile, maxFile)
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
func (d *Directory) bindAsSearcher(c *ldap.Conn) error {
	b, err := mount.Read(d.settings.BindPasswordFile, maxFile)
	if err != nil {
		return err
	}
	if err := c.Bind(d.settings.BindDN, strings.TrimRight(string(b), "\r\n")); err != nil {
		return fmt.Errorf("bind as %s: %w", d.settings.BindDN, err)
	}
	return nil
}
