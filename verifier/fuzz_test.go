package verifier

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"maps"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"
)

// FuzzVerify gives a Verifier a token as it is, and a header and claims that are signed first, so that the engine also
// gets behind the signature. What we accept, go-jose must accept with the same checks asked of it; and nobody but the
// two keys may have signed it.
func FuzzVerify(f *testing.F) {
	config := testConfig(f)
	v := newVerifier(f, config)
	for _, key := range []testKey{esKey(), edwardsKey(), otherKey()} {
		f.Add(key.good(), key.header(), goodClaims)
	}
	for _, attack := range readCorpus(f).Tokens {
		f.Add(attack.Token, goodHeader, goodClaims)
	}
	f.Add("", `{"alg":"none","kid":"es"}`, `{"exp":1e9,"aud":[],"sub":"\ud800"}`)
	f.Add("a.b.c", `{"alg":"EdDSA","kid":"ed","crit":["b64"],"b64":false}`, `{"iss":"","iss":"x"}`)
	f.Add("..", `{"alg":"HS256","kid":"es","jwk":{"kty":"oct","k":"AA"}}`, strings.Repeat("[", 64))
	f.Add(strings.Repeat(".", 9000), goodHeader, replaced(f, goodClaims, "alice", "\xff"))
	f.Add(esKey().good()+"\n", replaced(f, goodHeader, "at+jwt", "JWT"), replaced(f, goodClaims, "1800000600", "1799999941"))

	f.Fuzz(func(t *testing.T, foreign, header, claims string) {
		for _, attempt := range []struct {
			token  string
			signed bool
		}{
			{foreign, false},
			{esKey().sign(header, claims), true},
			{edwardsKey().sign(header, claims), true},
		} {
			token, err := v.Verify(t.Context(), attempt.token)
			if err != nil {
				continue
			}
			if got := goJose(t, attempt.token); got != token.Subject() {
				t.Errorf("go-jose reads the subject %q, we read %q", got, token.Subject())
			}
			if !attempt.signed && token.payload != goodClaims {
				t.Errorf("accepted a token that the test did not sign: %s", attempt.token)
			}
		}
	})
}

// goJose verifies a token with go-jose alone and returns its subject.
func goJose(t *testing.T, token string) string {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA})
	if err != nil {
		t.Fatalf("go-jose does not parse %s: %v", token, err)
	}
	public := map[string]crypto.PublicKey{"es": esKey().private.Public(), "ed": edwardsKey().private.Public()}
	var claims jwt.Claims
	if err := parsed.Claims(public[parsed.Headers[0].KeyID], &claims); err != nil {
		t.Fatalf("go-jose does not verify %s: %v", token, err)
	}
	expected := jwt.Expected{Issuer: testIssuer, AnyAudience: jwt.Audience{testAudience}, Time: testNow}
	if err := claims.ValidateWithLeeway(expected, time.Minute); err != nil {
		t.Fatalf("go-jose refuses %s: %v", token, err)
	}
	return claims.Subject
}

// FuzzParseKeySet reads sets of keys. What we accept, go-jose must read as the same keys.
func FuzzParseKeySet(f *testing.F) {
	for _, keys := range [][]map[string]any{
		{},
		{esKey().jwk()},
		{edwardsKey().jwk()},
		{rsaTestKey().jwk()},
		{esKey().jwk(), edwardsKey().jwk(), rsaTestKey().jwk(), otherKey().jwk()},
		{newECKey("p384", jose.ES384, elliptic.P384()).jwk(), newECKey("p521", jose.ES512, elliptic.P521()).jwk()},
		{esKey().jwkWith(map[string]any{"key_ops": []string{"verify"}, "x5c": []string{"AA"}})},
		{{"kty": "oct", "k": "AA", "kid": "s", "alg": "HS256", "use": "sig"}},
		{{"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq"}, edwardsKey().jwk()},
		{esKey().jwk(), esKey().jwk()},
	} {
		f.Add(setOf(keys...))
	}
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQ"}],"keys":[]}`))
	f.Add([]byte(strings.Repeat(`{"keys":[`, 40)))

	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := ParseKeySet(data)
		if err != nil {
			return
		}
		theirs := readWithGoJose(t, data)
		for id, ours := range set.keys {
			equal, ok := ours.public.(interface{ Equal(x crypto.PublicKey) bool })
			if !ok || !equal.Equal(theirs[id].Key) || theirs[id].Algorithm != string(ours.algorithm) {
				t.Errorf("key %q: ours %v, go-jose's %v", id, ours, theirs[id])
			}
			if key := theirs[id]; !key.Valid() || !key.IsPublic() {
				t.Errorf("key %q: go-jose finds it invalid or private", id)
			}
		}
	})
}

// readWithGoJose reads the keys that have a kid one by one, and of those only the members that we read: go-jose also
// checks certificates, which we ignore, and members that belong to another kty.
func readWithGoJose(t *testing.T, data []byte) map[string]jose.JSONWebKey {
	t.Helper()
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.SetNumberType(json.UnmarshalJSONNumber)
	if err := decoder.Decode(&set); err != nil {
		t.Fatal(err)
	}
	keys := map[string]jose.JSONWebKey{}
	ours := map[any]string{"EC": "kty kid alg use crv x y", "OKP": "kty kid alg use crv x", "RSA": "kty kid alg use n e"}
	for _, members := range set.Keys {
		read := strings.Fields(ours[members["kty"]])
		maps.DeleteFunc(members, func(name string, _ any) bool {
			for _, kept := range read {
				if name == kept {
					return false
				}
			}
			return true
		})
		var key jose.JSONWebKey
		if err := json.Unmarshal(must(json.Marshal(members)), &key); err == nil {
			keys[key.KeyID] = key
		}
	}
	return keys
}
