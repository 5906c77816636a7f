package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/mount"
)

const (
	// pollEvery is how soon a swapped file is seen.
	pollEvery = 250 * time.Millisecond
	// hashWait is how long a login waits for a core.
	hashWait = time.Second
	// shutdownWithin is how long requests in flight may take when the issuer stops.
	shutdownWithin = 10 * time.Second
)

// Server is an issuer.
type Server struct {
	now     func() time.Time
	log     *slog.Logger
	metrics *metrics

	config      *mount.Source[*config.Config]
	keys        *mount.Source[*keys.Snapshot]
	users       *mount.Source[*login.Users]
	certificate *mount.Source[*tls.Certificate]
	passwords   *login.Checker

	public, probes net.Listener
	stopping       atomic.Bool
}

// New returns a server for the configuration file at path, and listens at its addresses. The signing key may come later;
// everything else must be there and right.
func New(ctx context.Context, path string, now func() time.Time, log *slog.Logger) (*Server, error) {
	settings, err := ReadConfig(path)
	if err != nil {
		return nil, err
	}
	s := &Server{
		now: now, log: log, metrics: newMetrics(), passwords: login.NewChecker(runtime.GOMAXPROCS(0), hashWait),
	}
	s.follow(path, settings)
	if err := errors.Join(s.config.Poll(), s.users.Poll(), s.certificate.Poll()); err != nil {
		return nil, err
	}
	_ = s.keys.Poll() // reported; /readyz says that it is missing
	var listen net.ListenConfig
	if s.public, err = listen.Listen(ctx, "tcp", settings.Server.Address); err != nil {
		return nil, fmt.Errorf("server.address: %w", err)
	}
	if s.probes, err = listen.Listen(ctx, "tcp", settings.Server.MetricsAddress); err != nil {
		_ = s.public.Close()
		return nil, fmt.Errorf("server.metricsAddress: %w", err)
	}
	return s, nil
}

// Addresses are where the server listens: HTTPS, and the plaintext one for metrics and probes.
func (s *Server) Addresses() (public, probes net.Addr) { return s.public.Addr(), s.probes.Addr() }

// Run serves until the context ends, then finishes the requests in flight.
func (s *Server) Run(ctx context.Context) error {
	settings, _ := s.config.Get()
	routes, err := s.routes(settings.Issuer)
	if err != nil {
		return err
	}
	for _, follow := range []func(context.Context, time.Duration){
		s.config.Follow, s.keys.Follow, s.users.Follow, s.certificate.Follow,
	} {
		go follow(ctx, pollEvery)
	}
	public, probes := bounded(routes, s.log), bounded(s.probeRoutes(), s.log)
	public.TLSConfig = &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			certificate, _ := s.certificate.Get()
			return certificate, nil
		},
	}
	failed := make(chan error, 2)
	go func() { failed <- public.ServeTLS(s.public, "", "") }()
	go func() { failed <- probes.Serve(s.probes) }()
	s.log.Info("Serving", "issuer", settings.Issuer, "address", s.public.Addr().String(), "metrics", s.probes.Addr().String())
	select {
	case err = <-failed:
	case <-ctx.Done():
		s.log.Info("Stopping")
	}
	s.stopping.Store(true)
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWithin)
	defer cancel()
	return errors.Join(err, public.Shutdown(finish), probes.Shutdown(finish))
}

// bounded is an HTTP server that no slow or large request can hold.
func bounded(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// probeRoutes are for the kubelet and Prometheus.
func (s *Server) probeRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		_, hasKeys := s.keys.Get()
		switch {
		case s.stopping.Load():
			http.Error(w, "stopping", http.StatusServiceUnavailable)
		case !hasKeys:
			http.Error(w, "no signing key was mounted yet", http.StatusServiceUnavailable)
		default:
			_, _ = fmt.Fprintln(w, "ok")
		}
	})
	return mux
}
