package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/net/netutil"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/jwtverify"
	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/login/ldap"
	"github.com/keywright/keywright/issuer/login/postgres"
	"github.com/keywright/keywright/issuer/oauth2"
	"github.com/keywright/keywright/issuer/reload"
)

// pollEvery is the poll interval of mounted files.
const pollEvery = 250 * time.Millisecond

// Options are the dependencies of a Server, besides its configuration.
type Options struct {
	// ConfigFile is reloaded when it changes.
	ConfigFile string
	Now        func() time.Time
	// Log is the operational log.
	Log *slog.Logger
	// Audit is the audit log, with one line per token request.
	Audit io.Writer
	// HashSlots is the maximum number of concurrent password hashes, and HashMemory their total memory in bytes.
	HashSlots  int
	HashMemory int64
	// Tracer creates a span per request. It may be nil.
	Tracer trace.TracerProvider
}

// Server is an issuer.
type Server struct {
	now     func() time.Time
	log     *slog.Logger
	tracer  trace.TracerProvider
	metrics *metrics

	config      *reload.Watcher[*config.Config]
	keys        *reload.Watcher[*keys.Snapshot]
	users       *reload.Watcher[*login.Users]
	certificate *reload.Watcher[*tls.Certificate]
	// clientCAs are the CA certificates of clients, nil without mutual TLS.
	clientCAs *reload.Watcher[*x509.CertPool]

	// database is the user database, nil if there is none. databaseFails is the result of the last check, if any.
	database                     *postgres.Directory
	databaseTried, databaseFails bool

	tokens *oauth2.Endpoint
	// trusted contains the keys of the trusted issuers, by name.
	trusted map[string]*jwtverify.KeySet

	// mutual is the mutual TLS listener, or nil.
	public, probes, mutual net.Listener
	stopping               atomic.Bool
	// warnInvalidAddress logs the first invalid address of a proxy.
	warnInvalidAddress sync.Once
}

// New returns a Server that listens at the configured addresses. The signing key and the list of users may be mounted
// later; all other files must exist and be valid.
func New(ctx context.Context, o Options) (*Server, error) {
	settings, err := ReadConfig(o.ConfigFile)
	if err != nil {
		return nil, err
	}
	s := &Server{now: o.Now, log: o.Log, tracer: o.Tracer, metrics: newMetrics()}
	s.watchFiles(o.ConfigFile, settings)
	s.trusted = map[string]*jwtverify.KeySet{}
	for i := range settings.TokenExchange {
		issuer := &settings.TokenExchange[i]
		s.trusted[issuer.Name] = jwtverify.NewKeySet(issuer.Issuer, issuer.Keys, func(err error) { s.report("keys of "+issuer.Name, err) }, func(leftOut []string) {
			s.log.Warn("Keys of a trusted issuer are left out: tokens that they signed are refused", "tokenExchange", issuer.Name, "keys", leftOut)
		})
	}
	directory, err := s.directory(ctx, settings, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.ConfigFile, err)
	}
	s.tokens = oauth2.New(oauth2.Options{
		Now: o.Now, Log: o.Log, Audit: o.Audit, Config: s.config.Get, Keys: s.keys.Get, Directory: directory, Trusted: s.trusted,
		Places: newConcurrencyLimits(), Remote: s.clientAddress, ObserveResponse: s.metrics.observeResponse,
	}, settings.Login)
	if err := errors.Join(s.config.Poll(), s.users.Poll(), s.certificate.Poll()); err != nil {
		return nil, err
	}
	_ = s.keys.Poll() // the error is reported, and /readyz fails
	s.metrics.addOverdue(s.rotationOverdue)
	var listen net.ListenConfig
	if s.public, err = listen.Listen(ctx, "tcp", settings.Server.Address); err != nil {
		return nil, fmt.Errorf("server.address: %w", err)
	}
	s.public = s.withProxyProtocol(netutil.LimitListener(s.public, settings.Server.MaxConnections))
	if s.probes, err = listen.Listen(ctx, "tcp", settings.Server.MetricsAddress); err != nil {
		_ = s.public.Close()
		return nil, fmt.Errorf("server.metricsAddress: %w", err)
	}
	if err := s.listenMutual(ctx, &settings.Server); err != nil {
		return nil, errors.Join(err, s.public.Close(), s.probes.Close())
	}
	return s, nil
}

// directory returns the configured login.Directory.
func (s *Server) directory(ctx context.Context, settings *config.Config, o Options) (login.Directory, error) {
	if settings.Users.LDAP != nil {
		return ldap.New(settings.Users.LDAP), nil
	}
	hasher := login.NewHasher(o.HashSlots, o.HashMemory)
	if settings.Users.PostgreSQL == nil {
		return login.NewList(s.users.Get, hasher), nil
	}
	d, err := postgres.New(ctx, settings.Users.PostgreSQL, postgres.Options{Hasher: hasher, Now: o.Now, ObserveQuery: s.metrics.observeQuery})
	if err != nil {
		return nil, err
	}
	return d, s.connectDatabase(ctx, d)
}

// Addresses returns the addresses of the HTTPS listener, and of the plaintext one for metrics and probes.
func (s *Server) Addresses() (public, probes net.Addr) { return s.public.Addr(), s.probes.Addr() }

// MutualAddress returns the address of the mutual TLS listener, nil if there is none.
func (s *Server) MutualAddress() net.Addr {
	if s.mutual == nil {
		return nil
	}
	return s.mutual.Addr()
}

// Run serves until ctx is done, then finishes the requests in flight.
func (s *Server) Run(ctx context.Context) error {
	settings, _ := s.config.Get()
	routes := s.routes(settings.Issuer)
	for _, follow := range []func(context.Context, time.Duration){
		s.config.Run, s.keys.Run, s.users.Run, s.certificate.Run,
	} {
		go follow(ctx, pollEvery)
	}
	go s.watchAge(ctx)
	for _, keys := range s.trusted {
		go keys.Run(ctx, pollEvery)
	}
	if s.database != nil {
		go s.watchDatabase(ctx)
	}
	public, probes := newHTTPServer(s.withTracing(routes), s.log), newHTTPServer(s.probeRoutes(settings.Server.Pprof), s.log)
	public.TLSConfig = s.tlsConfig()
	tokens := []*http.Server{public}
	failed := make(chan error, 3)
	go func() { failed <- public.ServeTLS(s.public, "", "") }()
	if s.mutual != nil {
		go s.clientCAs.Run(ctx, pollEvery)
		mutual := s.mutualServer(pathOf(settings.Issuer))
		tokens = append(tokens, mutual)
		go func() { failed <- mutual.ServeTLS(s.mutual, "", "") }()
	}
	go func() { failed <- probes.Serve(s.probes) }()
	s.log.Info("Serving", "issuer", settings.Issuer, "address", s.public.Addr().String(), "metrics", s.probes.Addr().String())
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		s.log.Info("Stopping")
	}
	s.drain(err)
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWithin)
	defer cancel()
	for _, server := range tokens {
		if late := shutdown(finish, server); late != nil {
			err = errors.Join(err, fmt.Errorf("requests in flight did not finish within %s: %w", shutdownWithin, late))
		}
	}
	return errors.Join(err, probes.Shutdown(finish))
}

// maxStreams limits the concurrent requests per connection (RFC 9113 section 5.1.2).
const maxStreams = 100

// newHTTPServer returns an HTTP server with limits for slow and large requests.
func newHTTPServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams}, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
