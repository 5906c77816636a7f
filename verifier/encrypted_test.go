package verifier

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
)

// recipient is a service that tokens are encrypted for.
type recipient struct {
	private jose.JSONWebKey
	public  any
}

var (
	ecRecipient = sync.OnceValue(func() recipient {
		key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		return recipient{jose.JSONWebKey{Key: key, KeyID: "enc-ec", Algorithm: "ECDH-ES+A256KW", Use: "enc"}, key.Public()}
	})
	rsaRecipient = sync.OnceValue(func() recipient {
		key := must(rsa.GenerateKey(rand.Reader, 2048))
		return recipient{jose.JSONWebKey{Key: key, KeyID: "enc-rsa", Algorithm: "RSA-OAEP-256", Use: "enc"}, key.Public()}
	})
)

// encrypt encrypts a token for the recipient, with the header that go-jose makes and these members changed.
func (r recipient) encrypt(token string, changes map[jose.HeaderKey]any) string {
	return r.encryptWith(jose.KeyAlgorithm(r.private.Algorithm), jose.A256GCM, token, changes)
}

func (r recipient) encryptWith(alg jose.KeyAlgorithm, enc jose.ContentEncryption, token string, changes map[jose.HeaderKey]any) string {
	options := &jose.EncrypterOptions{ExtraHeaders: map[jose.HeaderKey]any{"cty": "JWT"}}
	maps.Copy(options.ExtraHeaders, changes)
	maps.DeleteFunc(options.ExtraHeaders, func(_ jose.HeaderKey, value any) bool { return value == nil })
	encrypter := must(jose.NewEncrypter(enc, jose.Recipient{Algorithm: alg, Key: r.public, KeyID: r.private.KeyID}, options))
	return must(must(encrypter.Encrypt([]byte(token))).CompactSerialize())
}

// needEncryption skips what Go's FIPS 140-3 module refuses when it is enforced. TestDecryptionKeysInFIPSMode asserts the refusal.
func needEncryption(t testing.TB) {
	t.Helper()
	if canDecrypt() != nil {
		t.Skip("GODEBUG=fips140=only: there is no encryption to test")
	}
}

func enforcesFIPS() bool { return strings.Contains(os.Getenv("GODEBUG"), "fips140=only") }

func TestDecryptionKeysInFIPSMode(t *testing.T) {
	set := must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{ecRecipient().private}}))
	_, err := ParseDecryptionKeys(set)
	if enforcesFIPS() {
		if err == nil || !strings.Contains(err.Error(), "this process cannot decrypt") || !strings.Contains(err.Error(), "FIPS") {
			t.Errorf("got %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	again := exec.Command(os.Args[0], "-test.run=^TestDecryptionKeysInFIPSMode$")
	again.Env = append(os.Environ(), "GODEBUG=fips140=only")
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("with GODEBUG=fips140=only: %v\n%s", err, out)
	}
}

// openingConfig is testConfig for a service with both recipients' keys.
func openingConfig(t testing.TB) Config {
	needEncryption(t)
	config := testConfig(t)
	set := must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{ecRecipient().private, rsaRecipient().private}}))
	config.DecryptionKeys = must(ParseDecryptionKeys(set))
	return config
}

func TestVerifyOpensNestedTokens(t *testing.T) {
	v, closed := newVerifier(t, openingConfig(t)), newVerifier(t, testConfig(t))
	for _, to := range []recipient{ecRecipient(), rsaRecipient()} {
		nested := to.encrypt(edwardsKey().good(), nil)
		first, err := v.Verify(t.Context(), nested)
		if err != nil || first.Subject() != "alice" || first.KeyID() != "ed" {
			t.Errorf("%s: %v, %v", to.private.KeyID, first, err)
		}
		if again := must(v.Verify(t.Context(), nested)); again != first {
			t.Errorf("%s: not remembered", to.private.KeyID)
		}
		_, err = closed.Verify(t.Context(), nested)
		wantError(t, "without DecryptionKeys", err, ErrMalformed, nested)
	}
	if _, err := v.Verify(t.Context(), esKey().good()); err != nil {
		t.Errorf("a token that is not encrypted: %v", err)
	}
	for _, cty := range []string{"jwt", "Jwt"} {
		if _, err := v.Verify(t.Context(), ecRecipient().encrypt(esKey().good(), map[jose.HeaderKey]any{"cty": cty})); err != nil {
			t.Errorf("cty %s: %v", cty, err)
		}
	}
}

func TestVerifyRefusesNestedTokens(t *testing.T) {
	config := openingConfig(t)
	config.MaxTokenBytes = largestToken
	v := newVerifier(t, config)
	good, to := esKey().good(), ecRecipient()
	stranger := ecRecipient()
	stranger.public = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).Public()
	with := func(member jose.HeaderKey, value any) string {
		return to.encrypt(good, map[jose.HeaderKey]any{member: value})
	}
	nested := to.encrypt(good, nil)
	segments := strings.Split(nested, ".")
	replace := func(index int, segment string) string {
		changed := append([]string{}, segments...)
		changed[index] = segment
		return strings.Join(changed, ".")
	}
	header := string(must(base64.RawURLEncoding.DecodeString(segments[0])))
	reheader := func(old, updated string) string { return replace(0, encode(replaced(t, header, old, updated))) }
	y := header[strings.Index(header, `"y":"`):]
	deflated := must(jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.ECDH_ES_A256KW, Key: to.public, KeyID: "enc-ec"},
		(&jose.EncrypterOptions{Compression: jose.DEFLATE}).WithContentType("JWT")))
	for _, row := range []struct {
		name, token string
		want        error
	}{
		// Anybody can encrypt with a public key: what counts is inside.
		{"claims that nobody signed", to.encrypt(goodClaims, nil), ErrMalformed},
		{"a signature of nobody", to.encrypt(otherKey().good(), nil), ErrUnknownKey},
		{"a forged signature", to.encrypt(good[:len(good)-4]+"AAAA", nil), ErrBadSignature},
		{"encrypted twice", to.encrypt(nested, nil), ErrMalformed},
		{"for another audience", to.encrypt(esKey().sign(goodHeader, replaced(t, goodClaims, testAudience, "https://b.example.com")), nil), ErrWrongAudience},
		{"no cty", with("cty", nil), ErrMalformed},
		{"another cty", with("cty", "json"), ErrMalformed},
		{"an extension", with("b64", true), ErrMalformed},
		{"jku", with("jku", "https://attacker.example.com"), ErrMalformed},
		{"x5u", with("x5u", "https://attacker.example.com"), ErrMalformed},
		{"p2c", with("p2c", 1000000), ErrMalformed},
		{"a duplicate member", reheader(`"cty":"JWT"`, `"cty":"JWT","cty":"JWT"`), ErrMalformed},
		{"crit", reheader(`"cty":"JWT"`, `"cty":"JWT","crit":["exp"]`), ErrMalformed},
		{"jwk", reheader(`"cty":"JWT"`, `"cty":"JWT","jwk":`+string(must(json.Marshal(otherKey().jwk())))), ErrMalformed},
		{"x5c", reheader(`"cty":"JWT"`, `"cty":"JWT","x5c":[]`), ErrMalformed},
		{"p2s", reheader(`"cty":"JWT"`, `"cty":"JWT","p2s":"AA"`), ErrMalformed},
		{"compressed", must(must(deflated.Encrypt([]byte(good))).CompactSerialize()), ErrMalformed},
		{"another kid", reheader(`"enc-ec"`, `"enc-xx"`), ErrNotDecrypted},
		{"the kid of another recipient", reheader(`"enc-ec"`, `"enc-rsa"`), ErrWrongAlgorithm},
		{"another key of this kid", stranger.encrypt(good, nil), ErrNotDecrypted},
		{"a key agreement without wrapping", to.encryptWith(jose.ECDH_ES, jose.A256GCM, good, nil), ErrMalformed},
		{"a weaker wrapping", to.encryptWith(jose.ECDH_ES_A128KW, jose.A256GCM, good, nil), ErrWrongAlgorithm},
		{"RSA-OAEP with SHA-1", rsaRecipient().encryptWith(jose.RSA_OAEP, jose.A256GCM, good, nil), ErrWrongAlgorithm},
		{"RSA1_5", rsaRecipient().encryptWith(jose.RSA1_5, jose.A256GCM, good, nil), ErrWrongAlgorithm},
		{"a CBC mode", to.encryptWith(jose.ECDH_ES_A256KW, jose.A256CBC_HS512, good, nil), ErrMalformed},
		{"A128GCM", to.encryptWith(jose.ECDH_ES_A256KW, jose.A128GCM, good, nil), ErrWrongAlgorithm},
		{"a short tag", replace(4, segments[4][:12]), ErrMalformed},
		{"a nonce that is a number, which go-jose refuses", with("nonce", 1), ErrMalformed},
		{"no tag", replace(4, ""), ErrMalformed},
		{"no encrypted key", replace(1, ""), ErrMalformed},
		{"a short initialization vector", replace(2, "AAAA"), ErrMalformed},
		{"another initialization vector", replace(2, strings.Repeat("A", 16)), ErrNotDecrypted},
		{"another ciphertext", replace(3, "AAAA"+segments[3][4:]), ErrNotDecrypted},
		{"another encrypted key", replace(1, "AAAA"+segments[1][4:]), ErrNotDecrypted},
		{"padding", replace(1, segments[1]+"="), ErrMalformed},
		{"a line break", replace(3, segments[3]+"\n"), ErrMalformed},
		{"an ephemeral key off its curve", reheader(y[:10], `"y":"AAAA-`), ErrNotDecrypted},
		{"an ephemeral key that is too long", reheader(`"y":"`, `"y":"AAAA`), ErrNotDecrypted},
		{"no ephemeral key", replace(0, encode(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":"enc-ec","cty":"JWT"}`)), ErrNotDecrypted},
		{"a long header", with("x", strings.Repeat("x", maxHeaderBytes)), ErrMalformed},
	} {
		_, err := v.Verify(t.Context(), row.token)
		wantError(t, row.name, err, row.want, row.token)
	}
	for i := range len(nested) {
		flipped := []byte(nested)
		flipped[i] ^= 1
		if _, err := v.Verify(t.Context(), string(flipped)); err == nil {
			t.Fatalf("accepted with byte %d changed", i)
		}
	}
}

func TestParseDecryptionKeysRefuses(t *testing.T) {
	needEncryption(t)
	ec, rs := ecRecipient().private, rsaRecipient().private
	changed := func(key jose.JSONWebKey, change func(*jose.JSONWebKey)) jose.JSONWebKey {
		change(&key)
		return key
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	for name, keys := range map[string][]jose.JSONWebKey{
		"no key":                {},
		"a public key":          {ec.Public()},
		"no kid":                {changed(ec, func(k *jose.JSONWebKey) { k.KeyID = "" })},
		"a kid twice":           {ec, ec},
		"no use":                {changed(ec, func(k *jose.JSONWebKey) { k.Use = "" })},
		"use sig":               {changed(ec, func(k *jose.JSONWebKey) { k.Use = "sig" })},
		"no alg":                {changed(ec, func(k *jose.JSONWebKey) { k.Algorithm = "" })},
		"alg ECDH-ES":           {changed(ec, func(k *jose.JSONWebKey) { k.Algorithm = "ECDH-ES" })},
		"alg of RSA for EC":     {changed(ec, func(k *jose.JSONWebKey) { k.Algorithm = "RSA-OAEP-256" })},
		"alg RSA-OAEP":          {changed(rs, func(k *jose.JSONWebKey) { k.Algorithm = "RSA-OAEP" })},
		"RSA of 1024 bits":      {changed(rs, func(k *jose.JSONWebKey) { k.Key = small })},
		"a symmetric key":       {{Key: []byte(strings.Repeat("k", 32)), KeyID: "s", Algorithm: "A256KW", Use: "enc"}},
		"a key for signatures":  {{Key: edwardsKey().private, KeyID: "ed", Algorithm: "EdDSA", Use: "enc"}},
		"one good, one without": {ec, changed(rs, func(k *jose.JSONWebKey) { k.KeyID = "" })},
	} {
		_, err := ParseDecryptionKeys(must(json.Marshal(jose.JSONWebKeySet{Keys: keys})))
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	good := string(must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{ec}})))
	for name, text := range map[string]string{
		"no JSON": "-----BEGIN", "no keys": "{}", "keys no list": `{"keys":{}}`, "no key": `{"keys":[1]}`,
		"a duplicate member": strings.Replace(good, `"use":"enc"`, `"use":"enc","use":"enc"`, 1),
		"too long":           good + strings.Repeat(" ", maxKeySetBytes),
	} {
		if _, err := ParseDecryptionKeys([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzOpen gives a service with private keys an encrypted token, and one that is encrypted around any text. What is
// accepted, a key of the issuer has signed.
func FuzzOpen(f *testing.F) {
	v := newVerifier(f, openingConfig(f))
	plain := newVerifier(f, testConfig(f))
	for _, to := range []recipient{ecRecipient(), rsaRecipient()} {
		f.Add(to.encrypt(esKey().good(), nil), esKey().good())
		f.Add(to.encrypt("{}", map[jose.HeaderKey]any{"cty": nil}), goodClaims)
	}
	f.Add("....", "....")
	f.Fuzz(func(t *testing.T, foreign, inner string) {
		if token, err := v.Verify(t.Context(), foreign); err == nil && token.payload != goodClaims {
			t.Errorf("accepted %s", foreign)
		}
		_, nestedError := v.Verify(t.Context(), ecRecipient().encrypt(inner, nil))
		if _, err := plain.Verify(t.Context(), inner); (err == nil) != (nestedError == nil) && len(inner) < 4000 {
			t.Errorf("alone %v, encrypted %v: %s", err, nestedError, inner)
		}
	})
}
