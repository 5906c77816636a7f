package keys_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/verifier"
)

func files(t testing.TB, alg string, key crypto.Signer) issuerfiles.Files {
	t.Helper()
	jwk := jose.JSONWebKey{Key: key, Algorithm: alg, Use: "sig"}
	digest, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	jwk.KeyID = base64.RawURLEncoding.EncodeToString(digest)
	active, err := jwk.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	return issuerfiles.Files{Active: active, KeySet: jwks, Policy: issuerfiles.Policy{
		SigningKey: "p", Algorithm: alg, MaxLifetime: time.Minute, NextRotation: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}}
}

func generate(t testing.TB, alg string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch alg {
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// What every algorithm signs, our verifier accepts under the served JWKS.
func TestEveryAlgorithm(t *testing.T) {
	for _, alg := range []string{"ES256", "ES384", "ES512", "EdDSA", "RS256", "RS384", "RS512"} {
		t.Run(alg, func(t *testing.T) {
			s, err := keys.Parse(files(t, alg, generate(t, alg)), issuerfiles.Revoked{})
			if err != nil {
				t.Fatal(err)
			}
			if s.Algorithm != alg || s.MaxLifetime != time.Minute || s.SigningKey != "p" || s.NextRotation.Year() != 2026 || !s.Signs() {
				t.Errorf("snapshot %+v", s)
			}
			compact, err := s.Sign([]byte(`{"a":1}`))
			if err != nil {
				t.Fatal(err)
			}
			set, err := verifier.ParseKeySet(s.JWKS)
			if err != nil {
				t.Fatal(err)
			}
			if payload, kid, err := set.VerifySignature(compact); err != nil || string(payload) != `{"a":1}` || kid != s.KeyID {
				t.Errorf("%s %s %v", payload, kid, err)
			}
		})
	}
}

func TestUnknownMembersAreNotServed(t *testing.T) {
	mounted := files(t, "ES256", generate(t, "ES256"))
	jwks := mounted.KeySet
	mounted.KeySet = []byte(string(jwks[:len(jwks)-3]) + `,"note":"planted"}]}`)
	s, err := keys.Parse(mounted, issuerfiles.Revoked{})
	if err != nil {
		t.Fatal(err)
	}
	if string(s.JWKS) != string(jwks) {
		t.Errorf("served: %s", s.JWKS)
	}
}

func FuzzParse(f *testing.F) {
	data, err := files(f, "ES256", generate(f, "ES256")).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data["policy.json"], data["jwks.json"], data["active.jwk"], data["revoked"])
	f.Add(data["policy.json"], data["jwks.json"], []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, policy, jwks, active, revoked []byte) {
		mounted, err := issuerfiles.Decode(map[string][]byte{"policy.json": policy, "jwks.json": jwks, "active.jwk": active, "revoked": revoked})
		if err != nil {
			return
		}
		s, err := keys.Parse(mounted, issuerfiles.Revoked{})
		if err != nil {
			return
		}
		if s.Signs() {
			if _, err := s.Sign([]byte("{}")); err != nil {
				t.Error(err)
			}
		}
	})
}
