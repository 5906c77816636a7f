package verifiertest

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"time"
)

// Option changes a token.
type Option func(*tokenSpec)

// tokenSpec describes a token before it is signed.
type tokenSpec struct {
	key, untrustedKey keyPair
	typ               string
	now               time.Time
	claims            map[string]any
}

// Scope sets the scopes of a token (scope).
func Scope(scopes ...string) Option { return Claim("scope", strings.Join(scopes, " ")) }

// Claim sets a claim to the JSON encoding of a value. A nil value removes the claim.
func Claim(name string, value any) Option {
	return func(m *tokenSpec) {
		if m.claims[name] = value; value == nil {
			delete(m.claims, name)
		}
	}
}

// Expired sets the expiry to an hour ago.
func Expired() Option {
	return func(m *tokenSpec) {
		m.claims["iat"], m.claims["exp"] = m.now.Add(-time.Hour-lifetime).Unix(), m.now.Add(-time.Hour).Unix()
	}
}

// ForAudience replaces the audience of a token.
func ForAudience(names ...string) Option { return Claim("aud", names) }

// FromStranger signs a token with a key that is not in the key set.
func FromStranger() Option { return func(m *tokenSpec) { m.key = m.untrustedKey } }

// OfType replaces the typ of a token.
func OfType(typ string) Option { return func(m *tokenSpec) { m.typ = typ } }

// BoundTo binds a token to the key of a client (cnf.jkt, RFC 9449 section 6.1).
func BoundTo(client *Client) Option {
	return Claim("cnf", map[string]string{"jkt": client.Thumbprint()})
}

// BoundToCertificate binds a token to a TLS client certificate (cnf.x5t#S256, RFC 8705 section 3.1).
func BoundToCertificate(certificate *x509.Certificate) Option {
	sum := sha256.Sum256(certificate.Raw)
	return Claim("cnf", map[string]string{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])})
}
