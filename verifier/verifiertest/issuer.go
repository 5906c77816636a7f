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

// What the tokens of an Issuer say, unless an Option says otherwise. Nothing real has such a name: .test is reserved (RFC 6761).
const (
	IssuerName = "https://issuer.test"
	Audience   = "https://service.test"
	ClientID   = "client-of-a-test"
)

// lifetime is that of tokens.
const lifetime = 10 * time.Minute

// Issuer signs tokens for one test, whatever they say. Its key set is a file that ends with the test.
type Issuer struct {
	// Now is the clock of its tokens and of its Verifier, that of the system at first.
	Now func() time.Time

	tb    testing.TB
	file  string
	key   keyPair
	other keyPair // which is not in the set
}

// NewIssuer makes an Issuer with an ES256 key of its own. What fails here and in its methods ends the test.
func NewIssuer(tb testing.TB) *Issuer {
	tb.Helper()
	i := &Issuer{Now: systemClock(), tb: tb, key: newKeyPair(tb), other: newKeyPair(tb)}
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

// Source is where a Verifier finds the key set.
func (i *Issuer) Source() verifier.Source { return verifier.File(i.file) }

// Config is that of a Verifier for Audience that trusts this Issuer alone. Its log is thrown away.
func (i *Issuer) Config() verifier.Config {
	return verifier.Config{
		Issuers: map[string]verifier.Source{IssuerName: i.Source()}, Audience: Audience, BaseURL: Audience,
		Now: i.Now, Logger: slog.New(slog.DiscardHandler),
	}
}

// Verifier returns a Verifier of the Config, with some changes, that is closed when the test ends.
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

// Token signs an access token (RFC 9068) that is valid for 10 minutes, unless an Option says otherwise.
func (i *Issuer) Token(subject string, options ...Option) string {
	i.tb.Helper()
	now := i.Now()
	m := minting{key: i.key, stranger: i.other, typ: "at+jwt", now: now, claims: map[string]any{
		"iss": IssuerName, "aud": []string{Audience}, "sub": subject, "client_id": ClientID, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(lifetime).Unix(),
	}}
	for _, option := range options {
		option(&m)
	}
	return m.key.sign(i.tb, m.typ, false, m.claims)
}
