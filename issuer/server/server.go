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

// pollEvery is how soon a swapped file is seen.
const pollEvery = 250 * time.Millisecond

// Options are what a server needs to know beside its configuration.
type Options struct {
	// ConfigFile is read again when it changes.
	ConfigFile string
	Now        func() time.Time
	// Log is for the person on call.
	Log *slog.Logger
	// Audit gets one line a token request.
	Audit io.Writer
	// HashSlots is how many passwords are hashed at a time, and HashMemory the bytes they may take together.
	HashSlots  int
	HashMemory int64
	// Tracer makes a span a request, nil for none.
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
	// clientCAs are those of the certificates of clients, nil without mutual TLS.
	clientCAs *reload.Watcher[*x509.CertPool]

	// database has the users, nil where they are elsewhere. databaseFails is what the last try said, if there was one.
	database                     *postgres.Directory
	databaseTried, databaseFails bool

	tokens *oauth2.Endpoint
	// trusted has the keys of the trusted issuers, by name.
	trusted map[string]*jwtverify.KeySet

	// mutual is for clients with certificates, nil if there is none.
	public, probes, mutual net.Listener
	stopping               atomic.Bool
	// unreadable is done once a proxy has sent what is no address.
	unreadable sync.Once
}

// New returns a server, and listens at the addresses of its configuration. The signing key and the list of
// users may come later; everything else must be there and right.
func New(ctx context.Context, o Options) (*Server, error) {
	settings, err := ReadConfig(o.ConfigFile)
	if err != nil {
		return nil, err
	}
	s := &Server{now: o.Now, log: o.Log, tracer: o.Tracer, metrics: newMetrics()}
	s.follow(o.ConfigFile, settings)
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
		Places: newPlaces(), Remote: s.remote, Answered: s.metrics.answered,
	}, settings.Login)
	if err := errors.Join(s.config.Poll(), s.users.Poll(), s.certificate.Poll()); err != nil {
		return nil, err
	}
	_ = s.keys.Poll() // reported; /readyz says that it is missing
	s.metrics.addOverdue(s.overdue)
	var listen net.ListenConfig
	if s.public, err = listen.Listen(ctx, "tcp", settings.Server.Address); err != nil {
		return nil, fmt.Errorf("server.address: %w", err)
	}
	s.public = s.proxied(netutil.LimitListener(s.public, settings.Server.MaxConnections))
	if s.probes, err = listen.Listen(ctx, "tcp", settings.Server.MetricsAddress); err != nil {
		_ = s.public.Close()
		return nil, fmt.Errorf("server.metricsAddress: %w", err)
	}
	if err := s.listenMutual(ctx, &settings.Server); err != nil {
		return nil, errors.Join(err, s.public.Close(), s.probes.Close())
	}
	return s, nil
}

// directory is where the users are.
func (s *Server) directory(ctx context.Context, settings *config.Config, o Options) (login.Directory, error) {
	if settings.Users.LDAP != nil {
		return ldap.New(settings.Users.LDAP), nil
	}
	hasher := login.NewHasher(o.HashSlots, o.HashMemory)
	if settings.Users.PostgreSQL == nil {
		return login.NewList(s.users.Get, hasher), nil
	}
	d, err := postgres.New(ctx, settings.Users.PostgreSQL, postgres.Options{Hasher: hasher, Now: o.Now, Asked: s.metrics.asked})
	if err != nil {
		return nil, err
	}
	return d, s.useDatabase(ctx, d)
}

// Addresses are where the server listens: HTTPS, and the plaintext one for metrics and probes.
func (s *Server) Addresses() (public, probes net.Addr) { return s.public.Addr(), s.probes.Addr() }

// MutualAddress is where the server listens for clients with certificates, nil if it does not.
func (s *Server) MutualAddress() net.Addr {
	if s.mutual == nil {
		return nil
	}
	return s.mutual.Addr()
}

// Run serves until the context ends, then finishes the requests in flight.
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
		go keys.Follow(ctx, pollEvery)
	}
	if s.database != nil {
		go s.watchDatabase(ctx)
	}
	public, probes := bounded(s.traced(routes), s.log), bounded(s.probeRoutes(settings.Server.Pprof), s.log)
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
			err = errors.Join(err, fmt.Errorf("requests in flight are not finished within %s: %w", shutdownWithin, late))
		}
	}
	return errors.Join(err, probes.Shutdown(finish))
}

// maxStreams bounds the requests at a time on one connection (RFC 9113 section 5.1.2).
const maxStreams = 100

// bounded is an HTTP server that no slow or large request can hold.
func bounded(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams}, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
