package verifier

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// The tokens and the verifiers of the tests agree on these.
const (
	testIssuer   = "https://issuer.example.com"
	testAudience = "https://orders.example.com"
	goodHeader   = `{"alg":"ES256","kid":"es","typ":"at+jwt"}`
	goodClaims   = `{"iss":"https://issuer.example.com","sub":"alice","aud":["https://orders.example.com","b"],` +
		`"exp":1800000600,"iat":1800000000,"nbf":1800000000,"jti":"id-1","client_id":"shop",` +
		`"scope":"orders:read orders:write","groups":["a","b"]}`
)

// testNow is the moment that the tests' clock starts at, the iat of goodClaims.
var testNow = time.Unix(1800000000, 0)

// testKey is a key pair of an issuer.
type testKey struct {
	id      string
	alg     jose.SignatureAlgorithm
	private crypto.Signer
}

// Key pairs are made once: RSA keys take their time. ES256 and EdDSA are the same in every process, so that what the
// fuzzing engine keeps stays signed by them.
var (
	esKey = sync.OnceValue(func() testKey {
		private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), []byte(strings.Repeat("k", 32)))
		return must(testKey{"es", jose.ES256, private}, err)
	})
	edwardsKey = sync.OnceValue(func() testKey {
		return testKey{"ed", jose.EdDSA, ed25519.NewKeyFromSeed([]byte(strings.Repeat("s", 32)))}
	})
	rsaTestKey = sync.OnceValue(func() testKey {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		return must(testKey{"rs", jose.RS256, private}, err)
	})
	otherKey = sync.OnceValue(func() testKey { return newECKey("other", jose.ES256, elliptic.P256()) })
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func newECKey(id string, alg jose.SignatureAlgorithm, curve elliptic.Curve) testKey {
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	return must(testKey{id, alg, private}, err)
}

func newEdwardsKey(id string) testKey {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return must(testKey{id, jose.EdDSA, private}, err)
}

// jwk returns the members of the public JWK, written by go-jose.
func (k testKey) jwk() map[string]any {
	written := must(json.Marshal(jose.JSONWebKey{
		Key: k.private.Public(), KeyID: k.id, Algorithm: string(k.alg), Use: "sig",
	}))
	var members map[string]any
	return must(members, json.Unmarshal(written, &members))
}

// jwkWith returns the public JWK with some members replaced, or left out where the value is nil.
func (k testKey) jwkWith(changes map[string]any) map[string]any {
	members := k.jwk()
	maps.Copy(members, changes)
	maps.DeleteFunc(members, func(_ string, value any) bool { return value == nil })
	return members
}

// sign makes a token of a header and claims as they are written, however wrong they may be.
func (k testKey) sign(header, claims string) string {
	input := encode(header) + "." + encode(claims)
	return input + "." + encode(string(k.signature([]byte(input))))
}

// signature signs with go-jose, which knows how each algorithm wants it; the header is not looked at.
func (k testKey) signature(input []byte) []byte {
	if k.alg == jose.EdDSA {
		return must(k.private.Sign(rand.Reader, input, crypto.Hash(0)))
	}
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[string(k.alg[2:])]
	digest := hash.New()
	digest.Write(input)
	private, isEC := k.private.(*ecdsa.PrivateKey)
	if !isEC {
		return must(k.private.Sign(rand.Reader, digest.Sum(nil), hash))
	}
	r, s, err := ecdsa.Sign(rand.Reader, private, digest.Sum(nil))
	size := (private.Curve.Params().BitSize + 7) / 8
	return append(r.FillBytes(make([]byte, size)), must(s, err).FillBytes(make([]byte, size))...)
}

// good makes a token that is valid at testNow.
func (k testKey) good() string {
	header := strings.NewReplacer("ES256", string(k.alg), `"es"`, `"`+k.id+`"`).Replace(goodHeader)
	return k.sign(header, goodClaims)
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// setOf writes a JWK Set.
func setOf(keys ...map[string]any) []byte {
	return must(json.Marshal(map[string]any{"keys": keys}))
}

// replaced replaces old by updated in text, where it must stand.
func replaced(t testing.TB, text, old, updated string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("the test is wrong: %q does not stand in %s", old, text)
	}
	return strings.ReplaceAll(text, old, updated)
}

// edPublic returns the public key of a seed.
func edPublic(seed []byte) ed25519.PublicKey {
	return ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
}
