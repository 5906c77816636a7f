package jwks_test

import (
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/api/jwks"
	"github.com/keywright/keywright/verifier"
)

// member returns the public JWK of a key, with members added or replaced; nil takes one away.
func member(t testing.TB, k jose.JSONWebKey, changes map[string]any) string {
	t.Helper()
	b, err := json.Marshal(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]any{}
	if err := json.Unmarshal(b, &members); err != nil {
		t.Fatal(err)
	}
	for name, value := range changes {
		members[name] = value
		if value == nil {
			delete(members, name)
		}
	}
	if b, err = json.Marshal(members); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func thumbprint(t testing.TB, k jose.JSONWebKey) string {
	t.Helper()
	sum, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// Each bad key is left out with its reason, the good one beside it is published, and our verifier reads what is published.
func TestPublishOmitsInvalidKeys(t *testing.T) {
	good, other := key(t, "RS256", "good"), key(t, "RS256", "other")
	ours := key(t, "ES256", "ours")
	private, err := json.Marshal(key(t, "ES256", "private"))
	if err != nil {
		t.Fatal(err)
	}
	with := func(name string, value any) string { return member(t, other, map[string]any{name: value}) }
	rules := jwks.Rules{
		Issuer: "https://login.example/72f9/v2.0", Algorithms: []string{"RS256", "ES256"},
		OwnedBy: func(of string) string {
			if of == thumbprint(t, ours) {
				return "main"
			}
			return ""
		},
	}
	for name, c := range map[string]struct{ beside, want string }{
		"private":                {string(private), "not public"},
		"symmetric":              {`{"kty":"oct","k":"AAAA","kid":"o","alg":"HS256"}`, "not public"},
		"weak":                   {`{"kty":"RSA","kid":"weak","n":"` + strings.Repeat("qqqq", 42) + `qqs","e":"AQAB"}`, "2048 to 8192 bits"},
		"for encryption":         {with("use", "enc"), "not for signatures"},
		"of an unknown type":     {`{"kty":"AKP","kid":"pq","alg":"ML-DSA-44","pub":"AAAA"}`, "type is unknown"},
		"a certificate alone":    {`{"kty":"RSA","kid":"x","x5c":["AAAA"]}`, "members do not fit its type"},
		"without a kid":          {with("kid", nil), "no kid"},
		"a long kid":             {with("kid", strings.Repeat("k", 257)), "longer than 256"},
		"a kid of two lines":     {with("kid", "a\nb"), "control characters"},
		"an alg that is not":     {with("alg", "PS256"), "not supported"},
		"an alg that is denied":  {with("alg", "RS512"), "not among spec.algorithms"},
		"an alg of another type": {with("alg", "ES256"), "does not fit its alg"},
		"of another tenant":      {with("issuer", "https://login.example/9188/v2.0"), "is for the issuer"},
		"of a SigningKey":        {member(t, ours, nil), "key of the SigningKey main"},
		"the kid of another":     {member(t, other, nil) + "," + member(t, key(t, "ES256", "other"), nil), "2 keys have the kid"},
	} {
		keys, leftOut, err := jwks.Publish([]byte(`{"keys":[`+c.beside+","+member(t, good, nil)+`]}`), rules)
		if err != nil || len(keys) != 1 || keys[0].ID != "good" {
			t.Errorf("%s: %v %v", name, keys, err)
		}
		if len(leftOut) == 0 || !strings.Contains(leftOut[0].Reason, c.want) {
			t.Errorf("%s: left out %v, want %q", name, leftOut, c.want)
		}
	}
	for name, beside := range map[string]string{
		"without alg":                     with("alg", nil),
		"a certificate nobody can read":   with("x5c", []string{"AAAA"}),
		"without use":                     with("use", nil),
		"of every tenant":                 with("issuer", "https://login.example/{tenantid}/v2.0"),
		"of this issuer":                  with("issuer", rules.Issuer),
		"with members of others":          with("x-more", "1"),
		"there twice, for two algorithms": member(t, other, nil) + "," + with("alg", nil),
	} {
		keys, leftOut, err := jwks.Publish([]byte(`{"keys":[`+beside+","+member(t, good, nil)+`]}`), rules)
		if err != nil || len(keys) != 2 || len(leftOut) != 0 {
			t.Errorf("%s: %v %v %v", name, keys, leftOut, err)
			continue
		}
		file := jwks.EncodeFile(keys, "RS256")
		set, err := verifier.ParseKeySet(file)
		if err != nil || len(set.KeyIDs()) != 2 || strings.Contains(string(file), "x5c") || strings.Contains(string(file), "x-more") {
			t.Errorf("%s: the verifier reads %v %v from %s", name, set, err, file)
		}
	}
}

// What is no set of keys is an error, so that the last good one stays.
func TestPublishRefusesSets(t *testing.T) {
	many := make([]string, jwks.MaxKeys+1)
	for i := range many {
		many[i] = member(t, key(t, "EdDSA", fmt.Sprint(i)), nil)
	}
	for name, set := range map[string]string{
		"nothing": "", "a page": "<html>not found</html>", "an error": `{"error":"server_error"}`, "no keys": `{"keys":[]}`, "null": `{"keys":null}`,
		"no usable key": `{"keys":[{"kty":"oct","k":"AAAA"}]}`, "too many": `{"keys":[` + strings.Join(many, ",") + `]}`,
		"cut off": `{"keys":[` + many[0], "a list": `[` + many[0] + `]`,
	} {
		if keys, _, err := jwks.Publish([]byte(set), jwks.Rules{}); err == nil {
			t.Errorf("%s: published %v", name, keys)
		}
	}
	if keys, _, err := jwks.Publish([]byte(`{"keys":[`+strings.Join(many[1:], ",")+`]}`), jwks.Rules{}); err != nil || len(keys) != jwks.MaxKeys {
		t.Errorf("the largest set: %d keys, %v", len(keys), err)
	}
}

// Another Keywright says by a tombstone that nobody is to be trusted.
func TestPublishFollowsATombstone(t *testing.T) {
	keys, leftOut, err := jwks.Publish(issuerfiles.Tombstone("EdDSA"), jwks.Rules{})
	if err != nil || len(keys) != 0 || len(leftOut) != 0 {
		t.Errorf("%v %v %v", keys, leftOut, err)
	}
	if file := string(jwks.EncodeFile(keys, "EdDSA")); !issuerfiles.TrustsNobody(file) {
		t.Errorf("published %s", file)
	}
}

// What is published is always what the verifier reads, and is published again as it is.
func FuzzPublish(f *testing.F) {
	f.Add([]byte(`{"keys":[` + member(f, key(f, "ES256", "one"), nil) + "," + member(f, key(f, "RS256", "two"), map[string]any{"alg": nil}) + `]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, _, err := jwks.Publish(b, jwks.Rules{Issuer: "https://issuer.example"})
		if err != nil {
			return
		}
		file := jwks.EncodeFile(keys, "ES256")
		set, err := verifier.ParseKeySet(file)
		if err != nil || len(keys) > 0 && len(set.KeyIDs()) != len(keys) {
			t.Fatalf("published %s: the verifier says %v", file, err)
		}
		again, leftOut, err := jwks.Publish(file, jwks.Rules{Issuer: "https://issuer.example"})
		if err != nil || len(leftOut) != 0 || string(jwks.EncodeFile(again, "ES256")) != string(file) {
			t.Fatalf("published again: %v %v", leftOut, err)
		}
	})
}

// Of a SPIFFE bundle the keys for JWT-SVIDs are published, which have no alg, and not those of certificates.
func TestPublishSPIFFEBundle(t *testing.T) {
	forTokens := member(t, key(t, "ES256", "jwt"), map[string]any{"use": "jwt-svid", "alg": nil})
	forCertificates := member(t, key(t, "RS256", "x509"), map[string]any{"use": "x509-svid", "kid": nil, "alg": nil, "x5c": []string{"AAAA"}})
	bundle := []byte(`{"spiffe_sequence":1,"spiffe_refresh_hint":300,"keys":[` + forCertificates + "," + forTokens + `]}`)
	keys, leftOut, err := jwks.Publish(bundle, jwks.Rules{SPIFFE: true})
	if err != nil || len(keys) != 1 || keys[0].ID != "jwt" || keys[0].Algorithm != "ES256" || len(leftOut) != 1 || !leftOut[0].Ordinary {
		t.Errorf("%v %v %v", keys, leftOut, err)
	}
	if set, err := verifier.ParseKeySet(jwks.EncodeFile(keys, "ES256")); err != nil || len(set.KeyIDs()) != 1 {
		t.Errorf("%v %v", set, err)
	}
	if keys, _, err := jwks.Publish(bundle, jwks.Rules{}); err == nil {
		t.Errorf("as a JWKS it has %v", keys)
	}
}

// In the issuer of a key {tenantid} stands for one segment, and no more.
func TestPublishTenants(t *testing.T) {
	k := member(t, key(t, "ES256", "one"), map[string]any{"issuer": "https://login.example/{tenantid}/v2.0"})
	for issuer, want := range map[string]bool{
		"https://login.example/72f9/v2.0": true, "https://login.example/72f9/9188/v2.0": false, "https://login.example//v2.0": false,
		"https://login.example/72f9/v1.0": false, "https://login.other/72f9/v2.0": false,
	} {
		if keys, _, err := jwks.Publish([]byte(`{"keys":[`+k+`]}`), jwks.Rules{Issuer: issuer}); (err == nil) != want {
			t.Errorf("%s: %v %v", issuer, keys, err)
		}
	}
}

// A set of the largest keys, with names that double when they are written, is larger than what every namespace is to hold.
func TestPublishBoundsTheSize(t *testing.T) {
	large := func(most int) []byte {
		all := make([]string, most)
		for i := range all {
			n := make([]byte, 512)
			if _, err := rand.Read(n); err != nil {
				t.Fatal(err)
			}
			n[0] |= 0x80
			n[len(n)-1] |= 1
			all[i] = fmt.Sprintf(`{"kty":"RSA","kid":"%d`+strings.Repeat(`\"`, 250)+`","alg":"RS256","n":%q,"e":"AQAB"}`, i, base64.RawURLEncoding.EncodeToString(n))
		}
		return []byte(`{"keys":[` + strings.Join(all, ",") + `]}`)
	}
	if keys, leftOut, err := jwks.Publish(large(40), jwks.Rules{}); err != nil || len(keys) != 40 {
		t.Errorf("%d keys, left out %v, %v", len(keys), leftOut, err)
	}
	if keys, _, err := jwks.Publish(large(jwks.MaxKeys), jwks.Rules{}); err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}
