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

// ReadClientCAs reads the CAs of the certificates of clients.
func ReadClientCAs(path string) (*x509.CertPool, error) {
	b, err := reload.Read(path, maxCertificate)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s: holds no certificate in PEM", path)
	}
	return pool, nil
}

// listenMutual listens for clients with certificates, if the configuration says where.
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
	s.mutual = s.proxied(netutil.LimitListener(listener, settings.MaxConnections))
	return nil
}

// mutualServer serves the token endpoint alone, to clients whose certificate one of the CAs has signed.
func (s *Server) mutualServer(path string) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("POST "+path+"/token", s.tokens)
	server := bounded(s.traced(s.secured(s.recovered(mux))), s.log)
	server.TLSConfig = s.tlsConfig()
	server.TLSConfig.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pool, ok := s.clientCAs.Get()
		if !ok {
			return nil, errors.New("there are no CAs of clients")
		}
		c := s.tlsConfig()
		c.ClientAuth, c.ClientCAs, c.NextProtos = tls.RequireAndVerifyClientCert, pool, []string{"h2", "http/1.1"}
		return c, nil
	}
	return server
}

// tlsConfig is that of both listeners.
func (s *Server) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			certificate, _ := s.certificate.Get()
			return certificate, nil
		},
	}
}
