package verifiertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// keyPair is the signing key of an Issuer or a Client.
type keyPair struct{ private jose.JSONWebKey }

func newKeyPair(tb testing.TB) keyPair {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(tb, err)
	return keyPair{jose.JSONWebKey{Key: private, KeyID: "of-a-test-" + rand.Text(), Algorithm: string(jose.ES256), Use: "sig"}}
}

// sign returns a signed JWT. Its header has the public key if embed is set, and the kid otherwise.
func (k keyPair) sign(tb testing.TB, typ string, embed bool, claims map[string]any) string {
	tb.Helper()
	options := (&jose.SignerOptions{EmbedJWK: embed}).WithType(jose.ContentType(typ))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k.private}, options)
	fatal(tb, err)
	payload, err := json.Marshal(claims)
	fatal(tb, err)
	signed, err := signer.Sign(payload)
	fatal(tb, err)
	compact, err := signed.CompactSerialize()
	fatal(tb, err)
	return compact
}

// systemClock is the only use of time.Now.
func systemClock() func() time.Time {
	return time.Now //nolint:forbidigo // of tests that set no other
}

func fatal(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
