package jwks_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/api/jwks"
)

func key(t testing.TB, alg, kid string) jose.JSONWebKey {
	t.Helper()
	var private crypto.Signer
	var err error
	switch alg {
	case "ES256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: private, Algorithm: alg, KeyID: kid, Use: "sig"}
}

func set(keys ...jose.JSONWebKey) *jose.JSONWebKeySet {
	public := &jose.JSONWebKeySet{}
	for _, k := range keys {
		public.Keys = append(public.Keys, k.Public())
	}
	return public
}

func TestParse(t *testing.T) {
	one := key(t, "ES256", "one")
	public := one.Public()
	member, err := json.Marshal(public)
	if err != nil {
		t.Fatal(err)
	}
	private, err := json.Marshal(key(t, "ES256", "two"))
	if err != nil {
		t.Fatal(err)
	}
	if keys, _, err := jwks.Parse([]byte(`{"keys":[{"kty":"AKP","alg":"ML-DSA-44"},` + string(member) + `]}`)); err != nil || len(keys.Keys) != 1 {
		t.Errorf("a key of an unknown type beside: %v %v", keys, err)
	}
	for _, bad := range []string{"", "[]", "{}", `{"keys":[]}`, `{"keys":[{}]}`, `{"keys":[` + string(private) + `]}`, `{"keys":[{"kty":"oct","k":"AAAA"}]}`} {
		if _, _, err := jwks.Parse([]byte(bad)); err == nil {
			t.Errorf("accepted %s", bad)
		}
	}
}

// A key that cannot be used is left out, and takes the others not along (RFC 7517 section 5).
func TestOmittedKeys(t *testing.T) {
	good, err := json.Marshal(set(key(t, "RS256", "c1")).Keys[0])
	if err != nil {
		t.Fatal(err)
	}
	private, err := json.Marshal(key(t, "ES256", "p"))
	if err != nil {
		t.Fatal(err)
	}
	same := func(edit ...string) string { return strings.NewReplacer(edit...).Replace(string(good)) }
	other, err := json.Marshal(set(key(t, "RS256", "c1")).Keys[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		beside string
		says   string
	}{
		"1024 bits":             {`{"kty":"RSA","kid":"weak","n":"` + strings.Repeat("qqqq", 42) + `qqs","e":"AQAB"}`, "2048 to 8192 bits"},
		"a private key":         {string(private), "not public"},
		"a symmetric key":       {`{"kty":"oct","k":"AAAA","kid":"o"}`, "not public"},
		"to encrypt":            {same(`"c1"`, `"c2"`, `"use":"sig"`, `"use":"enc"`), ""},
		"to sign with":          {`{"key_ops":["sign"],` + same(`"c1"`, `"c2"`)[1:], ""},
		"another algorithm":     {same(`"RS256"`, `"RS384"`), ""},
		"itself":                {string(good), ""},
		"a certificate":         {`{"x5c":["AAAA"],"x5t":"no",` + same(`"c1"`, `"c2"`)[1:], ""},
		"members of two values": {`{"kty":"RSA","kty":"EC"}`, "a single JSON object"},
	} {
		keys, leftOut, err := jwks.Parse([]byte(`{"keys":[` + c.beside + "," + string(good) + "]}"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if said := strings.Join(jwks.Problems(leftOut), "; "); !strings.Contains(said, c.says) || (c.says == "") != (said == "") {
			t.Errorf("%s: %q", name, said)
		}
		if !holds(keys.Keys, "c1") {
			t.Errorf("%s: the good key is gone", name)
		}
	}
	keys, leftOut, err := jwks.Parse([]byte(`{"keys":[` + string(good) + "," + string(other) + "," + same(`"c1"`, `"c3"`) + "]}"))
	if err != nil || holds(keys.Keys, "c1") || !strings.Contains(strings.Join(jwks.Problems(leftOut), ""), "2 keys have the kid") {
		t.Errorf("two keys that a token cannot tell apart: %v %v %v", keys, leftOut, err)
	}
}

func holds(keys []jose.JSONWebKey, kid string) bool {
	return slices.ContainsFunc(keys, func(k jose.JSONWebKey) bool { return k.KeyID == kid })
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if keys, _, err := jwks.Parse(b); err == nil {
			for i := range keys.Keys {
				if !keys.Keys[i].IsPublic() {
					t.Errorf("accepted %s", b)
				}
			}
		}
	})
}
