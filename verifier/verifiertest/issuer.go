package verifiertest

import (
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/verifier"
)

// The default claims of an Issuer's tokens. The domain .test is reserved (RFC 6761).
const (
	IssuerName = "https://issuer.test"
	Audience   = "https://service.test"
	ClientID   = "client-of-a-test"
)

// lifetime is the default lifetime of tokens.
const lifetime = 10 * time.Minute

// Issuer signs tokens for a test. Its key set is a temporary file of the test.
type Issuer struct {
	// Now is the clock for its tokens and its Verifier, by default time.Now.
	Now func() time.Time

	tb           testing.TB
	file         string
	key          keyPair
	untrustedKey keyPair // not in the key set
}

// NewIssuer returns an Issuer with a new ES256 key. It and the methods of the Issuer fail the test on errors.
func NewIssuer(tb testing.TB) *Issuer {
	tb.Helper()
	i := &Issuer{Now: systemClock(), tb: tb, key: newKeyPair(tb), untrustedKey: newKeyPair(tb)}
	i.file = filepath.Join(tb.TempDir(), "keys-of-a-test.json")
	i.WriteKeySet(i.file)
	return i
}

// WriteKeySet writes the public key set to a file, for verifiers in other languages.
func (i *Issuer) WriteKeySet(file string) {
	i.tb.Helper()
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{i.key.private.Public()}})
	fatal(i.tb, err)
	fatal(i.tb, os.WriteFile(file, set, 0o600))
}

// Source returns the Source of the key set.
func (i *Issuer) Source() verifier.Source { return verifier.File(i.file) }

// Config returns a Config for Audience that accepts only this Issuer and discards logs.
func (i *Issuer) Config() verifier.Config {
	return verifier.Config{
		Issuers: map[string]verifier.Source{IssuerName: i.Source()}, Audience: Audience, BaseURL: Audience,
		Now: i.Now, Logger: slog.New(slog.DiscardHandler),
	}
}

// Verifier returns a Verifier with the Config and the given changes. It is closed when the test ends.
func (i *Issuer) Verifier(changes ...func(*verifier.Config)) *verifier.Verifier {
	i.tb.Helper()
	config := i.Config()
	for _, change := range changes {
		change(&config)
	}
	v, err := verifier.New(config)
	fatal(i.tb, err)
	i.tb.Cleanup(v.Close)
	return v
}

// Token returns a signed access token (RFC 9068) that is valid for 10 minutes, unless an Option changes that.
func (i *Issuer) Token(subject string, options ...Option) string {
	i.tb.Helper()
	now := i.Now()
	m := tokenSpec{key: i.key, untrustedKey: i.untrustedKey, typ: "at+jwt", now: now, claims: map[string]any{
		"iss": IssuerName, "aud": []string{Audience}, "sub": subject, "client_id": ClientID, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(lifetime).Unix(),
	}}
	for _, option := range options {
		option(&m)
	}
	return m.key.sign(i.tb, m.typ, false, m.claims)
}
