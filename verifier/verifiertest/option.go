package verifiertest

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"time"
)

// Option changes what a token says.
type Option func(*minting)

// minting is a token before it is signed.
type minting struct {
	key, stranger keyPair
	typ           string
	now           time.Time
	claims        map[string]any
}

// Scope gives a token these scopes (scope).
func Scope(scopes ...string) Option { return Claim("scope", strings.Join(scopes, " ")) }

// Claim gives a token a claim, in the form in which encoding/json writes the value. A nil value takes the claim away.
func Claim(name string, value any) Option {
	return func(m *minting) {
		if m.claims[name] = value; value == nil {
			delete(m.claims, name)
		}
	}
}

// Expired makes a token one that has expired an hour ago.
func Expired() Option {
	return func(m *minting) {
		m.claims["iat"], m.claims["exp"] = m.now.Add(-time.Hour-lifetime).Unix(), m.now.Add(-time.Hour).Unix()
	}
}

// ForAudience makes a token one for other services than Audience.
func ForAudience(names ...string) Option { return Claim("aud", names) }

// FromStranger signs a token with a key that is not in the set.
func FromStranger() Option { return func(m *minting) { m.key = m.stranger } }

// OfType gives a token another typ than at+jwt.
func OfType(typ string) Option { return func(m *minting) { m.typ = typ } }

// BoundTo binds a token to the key of a client (cnf.jkt, RFC 9449 section 6.1).
func BoundTo(client *Client) Option {
	return Claim("cnf", map[string]string{"jkt": client.Thumbprint()})
}

// BoundToCertificate binds a token to a TLS client certificate (cnf.x5t#S256, RFC 8705 section 3.1).
func BoundToCertificate(certificate *x509.Certificate) Option {
	sum := sha256.Sum256(certificate.Raw)
	return Claim("cnf", map[string]string{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])})
}
