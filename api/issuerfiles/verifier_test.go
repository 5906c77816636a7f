package issuerfiles_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/verifier"
)

// The verifier, which cannot import this package, refuses what a list says and nothing else.
func TestVerifierReadsWhatIsEncoded(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}},
		(&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_795_650_000, 0)
	values := []map[string]string{
		{"jti": "01J", "sub": "alice", "client_id": "web", "sid": "s1"},
		{"jti": "02J", "sub": "Alice", "client_id": "wéb\"", "sid": "s2"},
		{"jti": "03J", "sub": strings.Repeat("x", 255), "client_id": "web"},
	}
	for claim := range values[0] {
		for i := range values {
			for _, before := range []time.Duration{-61 * time.Second, -60 * time.Second, 0, time.Hour} {
				list := issuerfiles.Revoked{ClockSkew: time.Minute}.With(issuerfiles.Digest(claim, values[i][claim]), now.Add(before))
				v := verifying(t, key.Public(), list, now)
				for _, claims := range values {
					token := signed(t, signer, claims, now)
					_, err := v.Verify(context.Background(), token)
					if want := list.Ends(now, claims); errors.Is(err, verifier.ErrRevoked) != want || err != nil && !want {
						t.Errorf("%s of %d up to %v: %v gets %v, and the list says %v", claim, i, before, claims, err, want)
					}
				}
				v.Close()
			}
		}
	}
}

func verifying(t *testing.T, public any, list issuerfiles.Revoked, now time.Time) *verifier.Verifier {
	t.Helper()
	directory := t.TempDir()
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"main.json": keys, "main.revoked": list.Encode()} {
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v, err := verifier.New(verifier.Config{
		Issuers: map[string]verifier.Source{"https://issuer": verifier.File(filepath.Join(directory, "main.json"))}, Audience: "a",
		Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func signed(t *testing.T, signer jose.Signer, values map[string]string, now time.Time) string {
	t.Helper()
	claims := map[string]any{"iss": "https://issuer", "aud": "a", "exp": now.Unix() + 600, "iat": now.Unix()}
	for claim, value := range values {
		claims[claim] = value
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(fmt.Errorf("serialize: %w", err))
	}
	return compact
}
