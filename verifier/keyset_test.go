package verifier

import (
	"bytes"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/verifier/internal/jws"
)

func TestParseKeySetAcceptsEveryAlgorithm(t *testing.T) {
	keys := []testKey{
		esKey(), edwardsKey(), rsaTestKey(),
		{"rs384", jose.RS384, rsaTestKey().private},
		{"rs512", jose.RS512, rsaTestKey().private},
		newECKey("es384", jose.ES384, elliptic.P384()),
		newECKey("es512", jose.ES512, elliptic.P521()),
	}
	var jwks []map[string]any
	var ids []string
	for _, key := range keys {
		jwks = append(jwks, key.jwkWith(map[string]any{"key_ops": []string{"verify"}, "x5t": "ignored", "iat": 1}))
		ids = append(ids, key.id)
	}
	set, err := ParseKeySet(setOf(jwks...))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ed", "es", "es384", "es512", "rs", "rs384", "rs512"}, set.KeyIDs()); diff != "" {
		t.Errorf("key IDs of %v (-want +got):\n%s", ids, diff)
	}
	for _, key := range keys {
		payload, kid, err := set.VerifySignature(key.good())
		if err != nil || kid != key.id || string(payload) != goodClaims {
			t.Errorf("%s: payload %q, kid %q, error %v", key.id, payload, kid, err)
		}
	}
}

func TestParseKeySetSkipsUnknownKinds(t *testing.T) {
	set, err := ParseKeySet(setOf(
		map[string]any{"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AA"},
		map[string]any{"kty": "EC", "crv": "secp256k1", "alg": "ES256K", "kid": "k1"},
		rsaTestKey().jwkWith(map[string]any{"alg": "PS256"}),
		rsaTestKey().jwkWith(map[string]any{"kid": "enc", "alg": "RSA-OAEP-256", "use": "enc"}),
		esKey().jwk(),
	))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"es"}, set.KeyIDs()); diff != "" || set.skipped != 4 {
		t.Errorf("skipped %d, key IDs (-want +got):\n%s", set.skipped, diff)
	}
	for _, empty := range []string{`{"keys":[]}`, `{"keys":[{"kty":"AKP"}],"more":1}`} {
		if set, err := ParseKeySet([]byte(empty)); err != nil || len(set.KeyIDs()) != 0 {
			t.Errorf("%s: %v, %v", empty, set, err)
		}
	}
}

func TestParseKeySetRefusesKeys(t *testing.T) {
	ec, ed, rs := esKey(), edwardsKey(), rsaTestKey()
	x := string(must(jws.DecodeBase64(ec.jwk()["x"].(string))))
	y := string(must(jws.DecodeBase64(ec.jwk()["y"].(string))))
	for name, jwk := range map[string]map[string]any{
		"no kid":                ec.jwkWith(map[string]any{"kid": nil}),
		"empty kid":             ec.jwkWith(map[string]any{"kid": ""}),
		"kid no string":         ec.jwkWith(map[string]any{"kid": 1}),
		"long kid":              ec.jwkWith(map[string]any{"kid": strings.Repeat("k", maxKeyIDBytes+1)}),
		"no kty":                ec.jwkWith(map[string]any{"kty": nil}),
		"no alg":                ec.jwkWith(map[string]any{"alg": nil}),
		"alg no string":         ec.jwkWith(map[string]any{"alg": []string{"ES256"}}),
		"alg none":              ec.jwkWith(map[string]any{"alg": "None"}),
		"alg symmetric":         rs.jwkWith(map[string]any{"alg": "HS256"}),
		"symmetric":             {"kty": "oct", "kid": "s", "alg": "HS256", "use": "sig", "k": "AAAA"},
		"symmetric without k":   {"kty": "oct", "kid": "s", "alg": "A128KW"},
		"k in another kty":      ec.jwkWith(map[string]any{"k": "AA"}),
		"private, unknown kty":  {"kty": "AKP", "priv": "AA"},
		"no use":                ec.jwkWith(map[string]any{"use": nil}),
		"use enc":               ec.jwkWith(map[string]any{"use": "enc"}),
		"key_ops sign":          ec.jwkWith(map[string]any{"key_ops": []string{"sign"}}),
		"key_ops no list":       ec.jwkWith(map[string]any{"key_ops": "verify"}),
		"alg of another curve":  ec.jwkWith(map[string]any{"alg": "ES384"}),
		"alg of another kty":    ec.jwkWith(map[string]any{"alg": "RS256"}),
		"kty does not fit alg":  ec.jwkWith(map[string]any{"kty": "OKP"}),
		"padded e":              rs.jwkWith(map[string]any{"e": "AQAB="}),
		"crv does not fit alg":  ec.jwkWith(map[string]any{"crv": "P-384"}),
		"crv Ed448":             ed.jwkWith(map[string]any{"crv": "Ed448"}),
		"crv X25519":            ed.jwkWith(map[string]any{"crv": "X25519"}),
		"crv no string":         rs.jwkWith(map[string]any{"crv": 1}),
		"no x":                  ec.jwkWith(map[string]any{"x": nil}),
		"no y":                  ec.jwkWith(map[string]any{"y": nil}),
		"short x":               ec.jwkWith(map[string]any{"x": "AAAA"}),
		"x and y of 31 and 33":  ec.jwkWith(map[string]any{"x": encode(strings.Repeat("x", 31)), "y": encode(strings.Repeat("y", 33))}),
		"x and y cut elsewhere": ec.jwkWith(map[string]any{"x": encode(x[:31]), "y": encode(x[31:] + y)}),
		"off the curve":         ec.jwkWith(map[string]any{"y": ec.jwk()["x"]}),
		"point at infinity":     ec.jwkWith(map[string]any{"x": encode(strings.Repeat("\x00", 32)), "y": encode(strings.Repeat("\x00", 32))}),
		"padded x":              ec.jwkWith(map[string]any{"x": ec.jwk()["x"].(string) + "="}),
		"x with a line break":   ec.jwkWith(map[string]any{"x": "\n" + ec.jwk()["x"].(string)}),
		"x of standard base64":  ec.jwkWith(map[string]any{"x": strings.Repeat("+", 43)}),
		"no Ed25519 key":        ed.jwkWith(map[string]any{"x": nil}),
		"short Ed25519 key":     ed.jwkWith(map[string]any{"x": encode(strings.Repeat("x", 31))}),
		"long Ed25519 key":      ed.jwkWith(map[string]any{"x": encode(strings.Repeat("x", 33))}),
		"no n":                  rs.jwkWith(map[string]any{"n": nil}),
		"no e":                  rs.jwkWith(map[string]any{"e": nil}),
		"n with leading zero":   rs.jwkWith(map[string]any{"n": "AA" + rs.jwk()["n"].(string)}),
		"e with leading zero":   rs.jwkWith(map[string]any{"e": "AAEAAQ"}),
		"n even":                rs.jwkWith(map[string]any{"n": number(1<<4, 2044)}),
		"n of 2047 bits":        rs.jwkWith(map[string]any{"n": number(1, 2046)}),
		"n of 8193 bits":        rs.jwkWith(map[string]any{"n": oddNumber(8193)}),
		"e = 1":                 rs.jwkWith(map[string]any{"e": number(1, 0)}),
		"e = 3":                 rs.jwkWith(map[string]any{"e": number(3, 0)}),
		"e = 65535":             rs.jwkWith(map[string]any{"e": number(65535, 0)}),
		"e = 65538":             rs.jwkWith(map[string]any{"e": number(65538, 0)}),
		"e = 2^31 + 1":          rs.jwkWith(map[string]any{"e": number(1<<31+1, 0)}),
		"e = 2^64 + 65537":      rs.jwkWith(map[string]any{"e": encode("\x01\x00\x00\x00\x00\x00\x01\x00\x01")}),
		"e of 65 bits":          rs.jwkWith(map[string]any{"e": oddNumber(65)}),
	} {
		if set, err := ParseKeySet(setOf(jwk)); err == nil {
			t.Errorf("%s: accepted with keys %v, skipped %d", name, set.KeyIDs(), set.skipped)
		}
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if _, err := ParseKeySet(setOf(rs.jwkWith(map[string]any{name: "AQ"}))); err == nil {
			t.Errorf("private member %s: accepted", name)
		}
	}
	last := ec.jwk()["y"].(string)
	unused := last[:len(last)-1] + string(last[len(last)-1]+1) // 43 characters carry 258 bits, 2 of them unused
	if _, err := ParseKeySet(setOf(ec.jwkWith(map[string]any{"y": unused}))); err == nil {
		t.Error("y with unused bits: accepted")
	}
}

// number returns value·2^shift as a Base64urlUInt.
func number(value, shift uint) string {
	return encode(string(new(big.Int).Lsh(new(big.Int).SetUint64(uint64(value)), shift).Bytes()))
}

// oddNumber returns 2^(bits-1) + 1 as a Base64urlUInt.
func oddNumber(bits uint) string {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return encode(string(n.SetBit(n, 0, 1).Bytes()))
}

func TestParseKeySetRSASizes(t *testing.T) {
	for _, bits := range []uint{2048, 4096, 8192} {
		jwk := rsaTestKey().jwkWith(map[string]any{"n": oddNumber(bits), "e": number(1<<31-1, 0)})
		if _, err := ParseKeySet(setOf(jwk)); err != nil {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}

func TestParseKeySetRefusesSets(t *testing.T) {
	key := string(must(cutBraces(setOf(esKey().jwk()))))
	many := func(count int) string {
		var keys []string
		for i := range count {
			keys = append(keys, fmt.Sprintf(`{"kty":"X","kid":"%d"}`, i))
		}
		return `{"keys":[` + strings.Join(keys, ",") + "]}"
	}
	for name, text := range map[string]string{
		"nothing":              "",
		"no JSON":              "-----BEGIN PUBLIC KEY-----",
		"half a set":           `{"keys":[` + key[:len(key)/2],
		"no keys":              "{}",
		"keys null":            `{"keys":null}`,
		"keys an object":       `{"keys":{}}`,
		"one key, no set":      key,
		"a key that is a list": `{"keys":[[]]}`,
		"a key that is null":   `{"keys":[null]}`,
		"keys twice":           `{"keys":[],"keys":[` + key + "]}",
		"a member twice":       `{"keys":[` + strings.Replace(key, "{", `{"alg":"RS256",`, 1) + "]}",
		"a key twice":          `{"keys":[` + key + "," + key + "]}",
		"kid of a skipped key": `{"keys":[{"kty":"X","kid":"es"},` + key + "]}",
		"too many keys":        many(maxKeys + 1),
		"too long":             `{"keys":[` + key + "]}" + strings.Repeat(" ", maxKeySetBytes),
	} {
		if _, err := ParseKeySet([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := ParseKeySet([]byte(many(maxKeys))); err != nil {
		t.Errorf("%d keys: %v", maxKeys, err)
	}
}

// cutBraces returns the one key of a set.
func cutBraces(set []byte) ([]byte, error) {
	return bytes.TrimSuffix(bytes.TrimPrefix(set, []byte(`{"keys":[`)), []byte(`]}`)), nil
}

func TestEdwardsKeys(t *testing.T) {
	for range 200 {
		random := make([]byte, 32)
		must(rand.Read(random))
		jwk := edwardsKey().jwkWith(map[string]any{"x": base64.RawURLEncoding.EncodeToString(edPublic(random))})
		if _, err := ParseKeySet(setOf(jwk)); err != nil {
			t.Fatalf("the key of seed %x: %v", random, err)
		}
	}
	// The eight points of small order, in every encoding that some implementation reads (the sign bit of x is added
	// below), and numbers that are no point.
	for name, encoded := range map[string]string{
		"order 1":                   "0100000000000000000000000000000000000000000000000000000000000000",
		"order 2":                   "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 4":                   "0000000000000000000000000000000000000000000000000000000000000000",
		"order 8":                   "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"order 8, the other":        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"order 4, not canonical":    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 1, not canonical":    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"y = p + 3, not canonical":  "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"y = 2, not on the curve":   "0200000000000000000000000000000000000000000000000000000000000000",
		"y = p-2, not on the curve": "ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		point := must(hex.DecodeString(encoded))
		for _, sign := range []byte{0, 0x80} {
			point[31] = point[31]&0x7f | sign
			jwk := edwardsKey().jwkWith(map[string]any{"x": base64.RawURLEncoding.EncodeToString(point)})
			if _, err := ParseKeySet(setOf(jwk)); err == nil {
				t.Errorf("%s, sign %x: accepted in a key set", name, sign)
			}
		}
	}
}

func TestSmallRSAKeyIsRefused(t *testing.T) {
	modulus := new(big.Int).SetBit(must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 1023))), 1023, 1) // nobody needs its factors
	public := &rsa.PublicKey{N: modulus.SetBit(modulus, 0, 1), E: 65537}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: "small", Algorithm: "RS256", Use: "sig"}}}
	if _, err := ParseKeySet(must(json.Marshal(set))); err == nil {
		t.Error("a key of 1024 bits: accepted")
	}
}
