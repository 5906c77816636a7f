package jwtverify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/issuer/jwtverify"
)

var (
	now  = time.Unix(1_800_000_000, 0)
	want = jwtverify.Expected{Issuer: "them", Audience: "us", Types: []string{"jwt"}, MaxLifetime: time.Hour}
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

// sign signs any payload, with any more members in the header.
func sign(t testing.TB, k jose.JSONWebKey, payload string, header map[jose.HeaderKey]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	maps.Copy(options.ExtraHeaders, header)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.Algorithm), Key: k}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// verify parses and checks.
func verify(compact string, keys *jose.JSONWebKeySet, want jwtverify.Expected, now time.Time) (*jwtverify.JWT, error) {
	parsed, err := jwtverify.Parse(compact)
	if err != nil {
		return nil, err
	}
	return parsed.Verify(keys, want, now)
}

func set(keys ...jose.JSONWebKey) *jose.JSONWebKeySet {
	public := &jose.JSONWebKeySet{}
	for _, k := range keys {
		public.Keys = append(public.Keys, k.Public())
	}
	return public
}

// claims are right ones, with changes: a text replaces a member, an empty one leaves it out.
func claims(changes ...string) string {
	members := map[string]string{
		"iss": `"them"`, "sub": `"me"`, "aud": `"us"`, "jti": `"1"`,
		"exp": fmt.Sprint(now.Add(time.Minute).Unix()), "iat": fmt.Sprint(now.Unix()),
	}
	for i := 0; i < len(changes); i += 2 {
		members[changes[i]] = changes[i+1]
	}
	var list []string
	for name, value := range members {
		if value != "" {
			list = append(list, fmt.Sprintf("%q:%s", name, value))
		}
	}
	return "{" + strings.Join(list, ",") + "}"
}

func TestVerifyAccepts(t *testing.T) {
	for _, alg := range []string{"ES256", "RS256", "EdDSA"} {
		k := key(t, alg, "one")
		for name, payload := range map[string]string{
			"plain": claims(), "a list of audiences": claims("aud", `["x","us"]`), "expired within the skew": claims("iat", "", "exp", fmt.Sprint(now.Add(-29*time.Second).Unix())),
			"issued within the skew": claims("iat", fmt.Sprint(now.Add(29*time.Second).Unix())), "nbf now": claims("nbf", fmt.Sprint(now.Unix())),
			"nested": claims("k", `{"a":[{"b":1},{"b":2}],"c":"iss"}`), "another case": claims("Sub", `"you"`), "an emoji": claims("k", `"\ud83d\ude00"`),
		} {
			j, err := verify(sign(t, k, payload, nil), set(key(t, "ES256", "other"), k), want, now)
			if err != nil || j.Subject != "me" || j.ID != "1" {
				t.Errorf("%s, %s: %+v %v", alg, name, j, err)
			}
		}
	}
	k := key(t, "ES256", "")
	if _, err := verify(sign(t, k, claims(), nil), set(k), want, now); err != nil {
		t.Errorf("the only key, without a kid: %v", err)
	}
}

func TestVerifyRefusesClaims(t *testing.T) {
	k := key(t, "ES256", "one")
	at := func(d time.Duration) string { return fmt.Sprint(now.Add(d).Unix()) }
	for _, c := range []struct{ payload, says string }{
		{claims("iss", `"they"`), "iss"},
		{claims("iss", ""), "iss"},
		{claims("iss", `["them"]`), "iss"},
		{claims("aud", `"you"`), "aud"},
		{claims("aud", ""), "aud"},
		{claims("aud", "[]"), "aud"},
		{claims("aud", `[["us"]]`), "aud"},
		{claims("aud", `"us2"`), "aud"},
		{claims("sub", ""), "sub"},
		{claims("sub", "1"), "sub"},
		{claims("sub", `"`+strings.Repeat("x", 256)+`"`), "sub"},
		{claims("exp", ""), "no exp"},
		{claims("exp", "null"), "no exp"},
		{claims("exp", `"1900000000"`), "no exp"},
		{claims("exp", "1e300"), "no exp"},
		{claims("exp", "-1"), "no exp"},
		{claims("exp", at(-31*time.Second)), "expired"},
		{claims("exp", at(2*time.Hour)), "more than 1h"},
		{claims("iat", at(31*time.Second)), "iat"},
		{claims("nbf", at(31*time.Second)), "nbf"},
		{claims("nbf", `"x"`), "nbf"},
		{claims("iat", at(2*time.Second), "exp", at(time.Second)), "later than its exp"},
		{claims("jti", "1"), "jti"},
		{claims("sub", `"a\nb"`), "sub"},
		{strings.Replace(claims(), "{", `{"sub":"admin",`, 1), "must be a single JSON object"},
		{claims("x", `{"a":1,"a":2}`), "must be a single JSON object"},
		{claims("x", `[{"a":"\ud800"}]`), "must be a single JSON object"},
		{claims("x", strings.Repeat("[", 32)+strings.Repeat("]", 32)), "must be a single JSON object"},
		{claims("aud", `["us",1]`), "aud"},
		{"[]", "must be a single JSON object"},
		{"null", "must be a single JSON object"},
		{"{", "must be a single JSON object"},
		{"\xff", "must be a single JSON object"},
	} {
		if _, err := verify(sign(t, k, c.payload, nil), set(k), want, now); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: want %q, got %v", c.payload, c.says, err)
		}
	}
	only := want
	only.OnlyAudience = true
	if _, err := verify(sign(t, k, claims("aud", `["us","you"]`), nil), set(k), only, now); err == nil {
		t.Error("two audiences, where ours must be the only one")
	}
	if _, err := verify(sign(t, k, claims("aud", `["us"]`), nil), set(k), only, now); err != nil {
		t.Errorf("a list of ours alone: %v", err)
	}
}

func TestVerifyRefusesSignatures(t *testing.T) {
	k, other := key(t, "ES256", "one"), key(t, "ES256", "one")
	good := sign(t, k, claims(), nil)
	parts := strings.Split(good, ".")
	symmetric := jose.JSONWebKey{Key: []byte(strings.Repeat("k", 32)), Algorithm: "HS256", KeyID: "one"}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
	enc := k
	enc.Use = "enc"
	rs := key(t, "RS512", "one")
	weak, byWeak := jose.JSONWebKey{Algorithm: "RS256", KeyID: "one"}, ""
	fips140.WithoutEnforcement(func() {
		small, err := rsa.GenerateKey(rand.Reader, 1024)
		if err != nil {
			t.Fatal(err)
		}
		weak.Key = small
		byWeak = sign(t, weak, claims(), nil)
	})
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pinned := rs
	pinned.Algorithm = "RS256"
	for name, c := range map[string]struct {
		compact string
		keys    *jose.JSONWebKeySet
		is      error
	}{
		"unknown key":        {good, set(key(t, "ES256", "two"), key(t, "ES256", "three")), jwtverify.ErrUnknownKey},
		"no keys":            {good, set(), jwtverify.ErrUnknownKey},
		"another key":        {good, set(other), nil},
		"two of one kid":     {good, set(k, other), nil},
		"key for encryption": {good, set(enc), nil},
		"private key in set": {good, &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k}}, nil},
		"another algorithm":  {sign(t, rs, claims(), nil), set(pinned), nil},
		"HMAC":               {sign(t, symmetric, claims(), nil), &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{symmetric}}, nil},
		"none":               {none, set(k), nil},
		"no signature":       {parts[0] + "." + parts[1] + ".", set(k), nil},
		"a line break":       {good[:20] + "\n" + good[20:], set(k), nil},
		"four parts":         {good + ".x", set(k), nil},
		"too long":           {sign(t, k, claims("x", `"`+strings.Repeat("x", jwtverify.MaxBytes)+`"`), nil), set(k), nil},
		"another typ":        {sign(t, k, claims(), map[jose.HeaderKey]any{jose.HeaderType: "at+jwt"}), set(k), nil},
		"critical":           {sign(t, k, claims(), map[jose.HeaderKey]any{"crit": []string{"x"}, "x": 1}), set(k), nil},
		"empty critical":     {sign(t, k, claims(), map[jose.HeaderKey]any{"crit": []string{}}), set(k), nil},
		"a key along":        {sign(t, k, claims(), map[jose.HeaderKey]any{"x5c": []string{}}), set(k), nil},
		"a long header":      {sign(t, k, claims(), map[jose.HeaderKey]any{"x": strings.Repeat("x", 2<<10)}), set(k), nil},
		"a weak RSA key":     {byWeak, set(weak), nil},
		"another curve":      {sign(t, k, claims(), nil), set(jose.JSONWebKey{Key: p384, KeyID: "one"}), nil},
		"kid a number":       {sign(t, k, claims(), map[jose.HeaderKey]any{"kid": 1}), set(k), nil},
		"b64":                {sign(t, k, claims(), map[jose.HeaderKey]any{"b64": true}), set(k), nil},
	} {
		_, err := verify(c.compact, c.keys, want, now)
		if err == nil || (c.is != nil && !errors.Is(err, c.is)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever is accepted says who it is of and until when, and is a good signature to a JOSE library too.
func FuzzVerify(f *testing.F) {
	k := key(f, "ES256", "one")
	f.Add(sign(f, k, claims(), nil), claims())
	f.Add("a.b.c", `{"a":{"b":[1,{"c":"d"}]},"a":1}`)
	f.Add("e30.e30.", "[")
	for _, attack := range readCorpus(f).Tokens {
		f.Add(attack.Token, "{}")
	}
	check := func(t *testing.T, compact string) {
		j, err := verify(compact, set(k), want, now)
		if err != nil {
			return
		}
		if j.Subject == "" || j.Expiry.IsZero() {
			t.Errorf("accepted %s as %+v", compact, j)
		}
		signed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatalf("accepted %s, where go-jose says %v", compact, err)
		}
		if _, err := signed.Verify(k.Public()); err != nil {
			t.Errorf("accepted %s, where go-jose says %v", compact, err)
		}
	}
	f.Fuzz(func(t *testing.T, compact, payload string) {
		check(t, compact)
		if len(payload) < 4096 { // whoever can sign can still send anything
			check(t, sign(t, k, payload, nil))
		}
	})
}
