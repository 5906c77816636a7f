package verifier

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
)

// testSet has one key of each type.
func testSet() *KeySet {
	set, err := ParseKeySet(setOf(esKey().jwk(), edwardsKey().jwk(), rsaTestKey().jwk()))
	return must(set, err)
}

// wantError checks that err is want, and shows no part of the token.
func wantError(t *testing.T, name string, err, want error, token string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", name, err, want)
		return
	}
	if err == nil {
		return
	}
	for _, segment := range strings.Split(token, ".") {
		if len(segment) > 8 && strings.Contains(err.Error(), segment[:8]) {
			t.Errorf("%s: the error quotes the token: %v", name, err)
		}
	}
}

func TestVerifySignatureRefusesHeaders(t *testing.T) {
	set := testSet()
	change := func(old, updated string) string { return replaced(t, goodHeader, old, updated) }
	extra := func(member string) string { return change(`"typ":"at+jwt"`, `"typ":"at+jwt",`+member) }
	publicKey := string(must(json.Marshal(otherKey().jwk())))
	for _, row := range []struct {
		name, header string
		want         error
	}{
		{"alg none", change("ES256", "none"), ErrWrongAlgorithm},
		{"alg None", change("ES256", "None"), ErrWrongAlgorithm},
		{"alg empty", change("ES256", ""), ErrWrongAlgorithm},
		{"alg none, kid unknown", `{"alg":"nOnE","kid":"x"}`, ErrWrongAlgorithm},
		{"alg missing", `{"kid":"es"}`, ErrWrongAlgorithm},
		{"alg null", `{"alg":null,"kid":"es"}`, ErrWrongAlgorithm},
		{"alg a list", `{"alg":["ES256"],"kid":"es"}`, ErrWrongAlgorithm},
		{"alg in lower case", change("ES256", "es256"), ErrWrongAlgorithm},
		{"alg symmetric", change("ES256", "HS256"), ErrWrongAlgorithm},
		{"alg PS256", `{"alg":"PS256","kid":"rs"}`, ErrWrongAlgorithm},
		{"alg of another key type", change("ES256", "RS256"), ErrWrongAlgorithm},
		{"alg of another size", change("ES256", "ES384"), ErrWrongAlgorithm},
		{"kid missing", `{"alg":"ES256"}`, ErrMalformed},
		{"kid empty", change(`"es"`, `""`), ErrMalformed},
		{"kid a number", change(`"es"`, `1`), ErrMalformed},
		{"kid too long", change(`"es"`, `"`+strings.Repeat("k", 257)+`"`), ErrMalformed},
		{"kid unknown", change(`"es"`, `"../es"`), ErrUnknownKey},
		{"kid with a NUL", change(`"es"`, `"es\u0000"`), ErrUnknownKey},
		{"kid in upper case", change(`"es"`, `"ES"`), ErrUnknownKey},
		{"typ a number", change(`"at+jwt"`, `1`), ErrMalformed},
		{"typ null", change(`"at+jwt"`, `null`), ErrMalformed},
		{"crit empty", extra(`"crit":[]`), ErrMalformed},
		{"crit unknown", extra(`"crit":["exp"],"exp":1`), ErrMalformed},
		{"crit b64", extra(`"crit":["b64"],"b64":true`), ErrMalformed},
		{"b64 false", extra(`"b64":false`), ErrMalformed},
		{"b64 true", extra(`"b64":true`), ErrMalformed},
		{"jwk", extra(`"jwk":` + publicKey), ErrMalformed},
		{"jwk null", extra(`"jwk":null`), ErrMalformed},
		{"jku", extra(`"jku":"https://attacker.example.com"`), ErrMalformed},
		{"x5u", extra(`"x5u":"https://attacker.example.com"`), ErrMalformed},
		{"x5c", extra(`"x5c":[]`), ErrMalformed},
		{"zip", extra(`"zip":"DEF"`), ErrMalformed},
		{"enc", extra(`"enc":"A256GCM"`), ErrMalformed},
		{"epk", extra(`"epk":{}`), ErrMalformed},
		{"p2c", extra(`"p2c":1000000`), ErrMalformed},
		{"a duplicate member", extra(`"alg":"ES256"`), ErrMalformed},
		{"a duplicate below", extra(`"x":{"a":1,"a":1}`), ErrMalformed},
		{"invalid UTF-8", extra("\"x\":\"\xff\""), ErrMalformed},
		{"a deep member", extra(`"x":` + strings.Repeat("[", 3000) + strings.Repeat("]", 3000)), ErrMalformed},
		{"a list", "[" + goodHeader + "]", ErrMalformed},
		{"null", "null", ErrMalformed},
		{"no JSON", "alg: ES256", ErrMalformed},
		{"two objects", goodHeader + goodHeader, ErrMalformed},
		{"a nonce that is a number, which go-jose refuses", extra(`"nonce":1`), ErrMalformed},
	} {
		token := esKey().sign(row.header, goodClaims)
		_, _, err := set.VerifySignature(token)
		wantError(t, row.name, err, row.want, token)
	}
	for name, header := range map[string]string{
		"unknown parameters": extra(`"cty":"x","x5t":"AA","Crit":[],"ALG":"none"`),
		"white space":        " {\n\"kid\" : \"es\" , \"alg\" : \"ES256\" }\t",
		"escapes":            `{"\u0061lg":"\u0045S256","kid":"e\u0073"}`,
	} {
		if _, _, err := set.VerifySignature(esKey().sign(header, goodClaims)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVerifySignatureRefusesForms(t *testing.T) {
	set := testSet()
	good := esKey().good()
	parts := strings.Split(good, ".")
	head, claims, signature := parts[0], parts[1], parts[2]
	jsonForm := `{"protected":"` + head + `","payload":"` + claims + `","signature":"` + signature + `"}`
	// 64 bytes are 86 characters and leave 4 bits of the last one unused.
	unused := good[:len(good)-1] + string(good[len(good)-1]+1)
	padded := head
	for len(padded)%4 != 0 {
		padded += "="
	}
	withBreak := func(segment string) string { return segment[:4] + "\n" + segment[4:] }
	for name, token := range map[string]string{
		"nothing":                      "",
		"one dot":                      ".",
		"two dots":                     "..",
		"header alone":                 head,
		"two segments":                 head + "." + claims,
		"a dot at the end":             good + ".",
		"four segments":                good + "." + signature,
		"five segments":                head + ".." + claims + "." + signature + "." + signature,
		"a flood of dots":              strings.Repeat(".", largestToken-1),
		"no header":                    "." + claims + "." + signature,
		"no payload":                   head + ".." + signature,
		"no signature":                 head + "." + claims + ".",
		"padding":                      padded + "=." + claims + "." + signature,
		"padding to a multiple of 4":   head + "." + claims + "." + signature + "==",
		"standard base64":              head + "." + claims + "." + "+/+/" + signature[4:],
		"a space before":               " " + good,
		"a line break behind":          good + "\n",
		"a line break in the header":   withBreak(head) + "." + claims + "." + signature,
		"a line break in the claims":   head + "." + withBreak(claims) + "." + signature,
		"a return in the signature":    head + "." + claims + "." + strings.ReplaceAll(withBreak(signature), "\n", "\r"),
		"unused bits":                  unused,
		"percent encoding":             strings.ReplaceAll(good, ".", "%2E"),
		"full-width dots":              strings.ReplaceAll(good, ".", "．"),
		"a NUL":                        good + "\x00",
		"flattened JSON serialization": jsonForm,
		"general JSON serialization":   `{"payload":"` + claims + `","signatures":[{"protected":"` + head + `","signature":"` + signature + `"}]}`,
		"longer than 64 KiB":           esKey().sign(goodHeader, strings.Repeat(" ", largestToken)+goodClaims),
	} {
		_, _, err := set.VerifySignature(token)
		wantError(t, name, err, ErrMalformed, token)
	}
}

func TestVerifySignatureRefusesSignatures(t *testing.T) {
	set := testSet()
	for _, key := range []testKey{esKey(), edwardsKey(), rsaTestKey()} {
		good := key.good()
		cut := strings.LastIndex(good, ".") + 1
		input, signature := good[:cut-1], must(base64.RawURLEncoding.DecodeString(good[cut:]))
		size := len(signature)
		forgeries := map[string][]byte{
			"zeros":                   make([]byte, size),
			"one byte":                {0},
			"a byte more":             append([]byte{0}, signature...),
			"a byte behind":           append(append([]byte{}, signature...), 0),
			"a byte less":             signature[:size-1],
			"a zero before each half": append(append(append([]byte{0}, signature[:size/2]...), 0), signature[size/2:]...),
			"halves swapped":          append(append([]byte{}, signature[size/2:]...), signature[:size/2]...),
			"of another text":         key.signature([]byte(input + " ")),
			"of another key":          otherKey().signature([]byte(input)),
		}
		if private, ok := key.private.(*ecdsa.PrivateKey); ok {
			order := private.Params().N
			one := big.NewInt(1)
			forgeries["r = s = n"] = append(order.FillBytes(make([]byte, size/2)), order.FillBytes(make([]byte, size/2))...)
			forgeries["r = s = 1"] = append(one.FillBytes(make([]byte, size/2)), one.FillBytes(make([]byte, size/2))...)
			digest := crypto.SHA256.New()
			digest.Write([]byte(input))
			forgeries["ASN.1"] = must(ecdsa.SignASN1(rand.Reader, private, digest.Sum(nil)))
			r, s := new(big.Int).SetBytes(signature[:size/2]), new(big.Int).SetBytes(signature[size/2:])
			forgeries["ASN.1 of a good one"] = must(asn1.Marshal([]*big.Int{r, s}))
		}
		for name, forged := range forgeries {
			token := input + "." + base64.RawURLEncoding.EncodeToString(forged)
			_, _, err := set.VerifySignature(token)
			wantError(t, key.id+": "+name, err, ErrBadSignature, token)
		}
	}
}

func TestVerifySignatureRefusesKeyConfusion(t *testing.T) {
	set := testSet()
	// Signed by one key, under the kid of another, whatever alg it claims.
	for _, signer := range []testKey{esKey(), edwardsKey(), rsaTestKey(), otherKey()} {
		for _, named := range []testKey{esKey(), edwardsKey(), rsaTestKey()} {
			if signer.id == named.id {
				continue
			}
			asNamed := testKey{named.id, named.alg, nil}.header()
			token := signer.sign(asNamed, goodClaims)
			_, _, err := set.VerifySignature(token)
			wantError(t, signer.id+" as "+named.id, err, ErrBadSignature, token)
		}
	}
	// An RSA key signs under another hash than the key's alg.
	token := testKey{"rs", jose.RS512, rsaTestKey().private}.good()
	_, _, err := set.VerifySignature(token)
	wantError(t, "RS512 under an RS256 key", err, ErrWrongAlgorithm, token)

	// The public key is used as the secret of an HMAC.
	spki := must(x509.MarshalPKIXPublicKey(rsaTestKey().private.Public()))
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	for name, secret := range map[string][]byte{
		"PEM":                 block,
		"PEM without newline": []byte(strings.TrimSpace(string(block))),
		"DER":                 spki,
		"JWK":                 must(json.Marshal(rsaTestKey().jwk())),
		"nothing":             nil,
	} {
		if len(secret) == 0 && enforcesFIPS() {
			continue // Go's FIPS 140-3 module makes no such MAC
		}
		for _, header := range []string{`{"alg":"HS256","kid":"rs"}`, `{"alg":"HS256"}`, `{"alg":"RS256","kid":"rs"}`} {
			mac := hmac.New(crypto.SHA256.New, secret)
			input := encode(header) + "." + encode(goodClaims)
			mac.Write([]byte(input))
			token := input + "." + encode(string(mac.Sum(nil)))
			want := ErrWrongAlgorithm
			if strings.Contains(header, "RS256") {
				want = ErrBadSignature
			}
			_, _, err := set.VerifySignature(token)
			wantError(t, "HMAC with the public key, "+name+", "+header, err, want, token)
		}
	}
}

// header returns the header that the key's tokens have.
func (k testKey) header() string {
	return `{"alg":"` + string(k.alg) + `","kid":"` + k.id + `","typ":"at+jwt"}`
}

func TestVerifySignatureRefusesEveryFlippedBit(t *testing.T) {
	set := testSet()
	for _, key := range []testKey{esKey(), edwardsKey(), rsaTestKey()} {
		good := key.good()
		for i := range len(good) {
			for bit := range 8 {
				flipped := []byte(good)
				flipped[i] ^= 1 << bit
				if _, _, err := set.VerifySignature(string(flipped)); err == nil {
					t.Fatalf("%s: accepted with bit %d of byte %d flipped", key.id, bit, i)
				}
			}
		}
	}
}

func TestZeroKeySetHasNoKey(t *testing.T) {
	_, _, err := new(KeySet).VerifySignature(esKey().good())
	wantError(t, "zero KeySet", err, ErrUnknownKey, esKey().good())
}
