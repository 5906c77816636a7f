package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"

	"golang.org/x/net/netutil"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/reload"
)

// ReadClientCAs reads the CA certificates of clients.
func ReadClientCAs(path string) (*x509.CertPool, error) {
	b, err := reload.Read(path, maxCertificate)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s: has no PEM certificate", path)
	}
	return pool, nil
}

// listenMutual opens the mutual TLS listener, if it is configured.
func (s *Server) listenMutual(ctx context.Context, settings *config.Server) error {
	if settings.MutualTLS == nil {
		return nil
	}
	if err := s.clientCAs.Poll(); err != nil {
		return err
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", settings.MutualTLS.Address)
	if err != nil {
		return fmt.Errorf("server.mutualTLS.address: %w", err)
	}
	s.mutual = s.withProxyProtocol(netutil.LimitListener(listener, settings.MaxConnections))
	return nil
}

// mutualServer returns the server of the mutual TLS listener. It serves only the token endpoint, to clients with a
// certificate of a configured CA.
func (s *Server) mutualServer(path string) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("POST "+path+"/token", s.tokens)
	server := newHTTPServer(s.withTracing(s.withSecurityHeaders(s.withRecovery(mux))), s.log)
	server.TLSConfig = s.tlsConfig()
	server.TLSConfig.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pool, ok := s.clientCAs.Get()
		if !ok {
			return nil, errors.New("no CA that verifies client certificates is configured")
		}
		c := s.tlsConfig()
		c.ClientAuth, c.ClientCAs, c.NextProtos = tls.RequireAndVerifyClientCert, pool, []string{"h2", "http/1.1"}
		return c, nil
	}
	return server
}

// tlsConfig returns the TLS configuration of both listeners.
func (s *Server) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			certificate, _ := s.certificate.Get()
			return certificate, nil
		},
	}
}
