package issuerfiles_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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
	key, signer := newSigner(t)
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

// The golden vector is the format: the verifier reads it as it is written there, and ends what its test says.
func TestVerifierReadsTheVector(t *testing.T) {
	vector, err := os.ReadFile(filepath.Join("testdata", "ended-early.txt"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(vector), "\nrevoked\n")
	list, err := issuerfiles.DecodeRevoked([]byte(text))
	if !found || err != nil {
		t.Fatalf("the vector has no list: %v", err)
	}
	key, signer := newSigner(t)
	others := map[string]string{"jti": "x", "sid": "x", "sub": "x", "client_id": "x"}
	for _, c := range []struct {
		claim, value string
		before       int64
	}{{"jti", "01J", 1_795_700_000}, {"sid", "01J", 1_795_700_000}, {"sub", "alice", 1_795_650_000}, {"client_id", "web", 1_795_640_000}, {"sub", "bob", 1_795_600_000}} {
		claims := maps.Clone(others)
		claims[c.claim] = c.value
		for _, at := range []time.Time{time.Unix(c.before+60, 0), time.Unix(c.before+61, 0)} {
			directory := write(t, key.Public(), []byte(strings.TrimSuffix(text, "\n")))
			v := verifyingIn(t, directory, at)
			_, err := v.Verify(context.Background(), signed(t, signer, claims, at))
			v.Close()
			want := at.Unix() == c.before+60
			if errors.Is(err, verifier.ErrRevoked) != want || err != nil && !want || list.Ends(at, claims) != want {
				t.Errorf("%s %s at %d: %v, ended should be %v", c.claim, c.value, at.Unix(), err, want)
			}
		}
	}
}

// newSigner makes the key of an issuer.
func newSigner(t *testing.T) (*ecdsa.PrivateKey, jose.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}},
		(&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	return key, signer
}

func verifying(t *testing.T, public any, list issuerfiles.Revoked, now time.Time) *verifier.Verifier {
	t.Helper()
	return verifyingIn(t, write(t, public, list.Encode()), now)
}

// write writes a key set and a revocation list into a new directory.
func write(t *testing.T, public any, list []byte) string {
	t.Helper()
	directory := t.TempDir()
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"main.json": keys, "main.revoked": list} {
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}

func verifyingIn(t *testing.T, directory string, now time.Time) *verifier.Verifier {
	t.Helper()
	v, err := verifier.New(verifier.Config{
		Issuers: map[string]verifier.Source{"https://issuer": verifier.File(filepath.Join(directory, "main.json"))}, Audience: "a",
		Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler),
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
