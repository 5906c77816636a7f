package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/reload"
)

// maxCertificate limits the certificate files.
const maxCertificate = 1 << 20

// watchFiles creates the watchers of the mounted files.
func (s *Server) watchFiles(path string, first *config.Config) {
	s.config = reload.New("configuration", []string{path}, func() (*config.Config, error) {
		next, err := ReadConfig(path)
		if err != nil {
			return nil, err
		}
		if field := first.NeedsRestart(next); field != "" {
			return nil, fmt.Errorf("%s: %s changed, which requires a restart: until then, no change of this file takes effect", path, field)
		}
		return next, nil
	}, s.report)
	reader := &keys.Reader{Directory: first.SigningKey.Directory, KeySetDirectory: first.SigningKey.KeySetDirectory}
	s.keys = reload.NewWithPaths("signingKey", reader.Paths, func() (*keys.Snapshot, error) { return s.loadKey(reader) }, s.report)
	s.users = reload.New("users", []string{first.Users.File}, s.loadOptionalUsers(first), s.report)
	if mutual := first.Server.MutualTLS; mutual != nil {
		s.clientCAs = reload.New("clientCAs", []string{mutual.ClientCAFile}, func() (*x509.CertPool, error) {
			return ReadClientCAs(mutual.ClientCAFile)
		}, s.report)
	}
	files := first.Server.TLS
	s.certificate = reload.New("certificate", []string{files.CertFile, files.KeyFile}, func() (*tls.Certificate, error) {
		return s.loadCertificate(files)
	}, s.report)
}

// report logs and counts the result of a reload.
func (s *Server) report(source string, err error) {
	s.metrics.observeLoad(source, err)
	switch {
	case err == nil:
		s.log.Info("Loaded", "source", source)
	case errors.Is(err, reload.ErrDegraded):
		s.log.Error("A part of a source is invalid: only its valid part takes effect", "source", source, "error", err.Error())
	default:
		s.log.Error("A source is invalid: its last valid version, if there is one, stays in use", "source", source, "error", err.Error())
	}
}

// ReadConfig reads and validates a configuration file.
func ReadConfig(path string) (*config.Config, error) {
	b, err := reload.Read(path, config.MaxBytes)
	if err != nil {
		return nil, err
	}
	c, err := config.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// ReadUsers reads the list of users of a configuration, which is empty if no file is configured. A subject that is
// reserved for exchanged tokens is an error.
func ReadUsers(settings *config.Config) (*login.Users, error) {
	path := settings.Users.File
	if path == "" {
		return login.NoUsers(), nil
	}
	b, err := reload.Read(path, login.MaxBytes)
	if err != nil {
		return nil, err
	}
	users, err := login.ParseUsers(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for user, subject := range users.Subjects() {
		if name := settings.SubjectIssuer(subject); name != "" {
			return nil, fmt.Errorf("%s: user %.64q has a subject with the prefix %s:, which is reserved for tokenExchange %s: change the subject", path, user, name, name)
		}
	}
	return users, nil
}

// loadOptionalUsers returns a function that loads the list of users. The list is empty until the file exists, because
// an issuer may be installed before its users. It is an error if the file disappears, or if its directory does not
// exist.
func (s *Server) loadOptionalUsers(settings *config.Config) func() (*login.Users, error) {
	seen, path := false, settings.Users.File
	return func() (*login.Users, error) {
		users, err := ReadUsers(settings)
		if seen || !errors.Is(err, fs.ErrNotExist) {
			seen = seen || err == nil
			return users, err
		}
		if _, missing := os.Stat(filepath.Dir(path)); missing != nil {
			return nil, err
		}
		s.log.Warn("The list of users does not exist yet: password logins fail until it is created", "file", path)
		return login.NoUsers(), nil
	}
}

func (s *Server) loadKey(reader *keys.Reader) (*keys.Snapshot, error) {
	key, err := reader.Load()
	if key == nil {
		return nil, err
	}
	s.metrics.setSigningKey(key)
	if !key.Signs() {
		s.log.Warn("No signing key: /token responds with 503", "signingKey", key.SigningKey, "reason", key.Stopped)
		return key, err
	}
	s.log.Info("Signing", "signingKey", key.SigningKey, "kid", key.KeyID, "algorithm", key.Algorithm)
	if settings, ok := s.config.Get(); ok {
		s.logPolicyLimits(settings, key)
	}
	return key, err
}

// logPolicyLimits logs which configured lifetimes exceed the policy of the signing key.
func (s *Server) logPolicyLimits(settings *config.Config, key *keys.Snapshot) {
	if lifetime := time.Duration(settings.Token.Lifetime); lifetime > key.MaxLifetime {
		s.log.Warn("token.lifetime is longer than the policy of the signing key allows: tokens get its maxLifetime instead",
			"lifetime", lifetime.String(), "maxLifetime", key.MaxLifetime.String())
	}
	for i := range settings.Clients {
		client := &settings.Clients[i]
		switch {
		case client.Refresh == nil:
		case key.MaxRefreshLifetime == 0:
			s.log.Warn("A client sets refresh, but its SigningKey has no spec.sessions: no refresh tokens are issued. Set spec.sessions, or remove refresh", "client", client.ID)
		case time.Duration(client.Refresh.Lifetime) > key.MaxRefreshLifetime || time.Duration(client.Refresh.SessionLifetime) > key.MaxSessionLifetime:
			s.log.Warn("A client has longer sessions than the SigningKey allows: the limits in spec.sessions of the SigningKey apply", "client", client.ID,
				"maxRefreshLifetime", key.MaxRefreshLifetime.String(), "maxSessionLifetime", key.MaxSessionLifetime.String())
		}
	}
}

func (s *Server) loadCertificate(files config.TLS) (*tls.Certificate, error) {
	certificate, err := ReadCertificate(files)
	if err == nil {
		s.metrics.certificate.Set(float64(certificate.Leaf.NotAfter.Unix()))
	}
	return certificate, err
}

// ReadCertificate reads a certificate and its private key, which must match.
func ReadCertificate(files config.TLS) (*tls.Certificate, error) {
	cert, err := reload.Read(files.CertFile, maxCertificate)
	if err != nil {
		return nil, err
	}
	key, err := reload.Read(files.KeyFile, maxCertificate)
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", files.CertFile, files.KeyFile, err)
	}
	return &certificate, nil
}
