package dpop_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// The request that the proofs of the tests are for, and what a good one claims.
const (
	method = "POST"
	target = "https://orders.example.com/orders"
	claims = `{"jti":"id-1","htm":"POST","htu":"https://orders.example.com/orders","iat":1800000000,"ath":"fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"}`
)

var now = time.Unix(1800000000, 0)

// client has the key pair that its proofs are made with.
type client struct {
	alg     string
	private crypto.Signer
}

var (
	ecClient = sync.OnceValue(func() client {
		private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), []byte(strings.Repeat("k", 32)))
		return must(client{"ES256", private}, err)
	})
	edClient  = sync.OnceValue(func() client { return client{"EdDSA", ed25519.NewKeyFromSeed([]byte(strings.Repeat("s", 32)))} })
	rsaClient = sync.OnceValue(func() client {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		return must(client{"RS256", private}, err)
	})
	otherClient = sync.OnceValue(func() client {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		return must(client{"ES256", private}, err)
	})
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// jwk is the public key as go-jose writes it.
func (c client) jwk() string {
	return string(must(json.Marshal(jose.JSONWebKey{Key: c.private.Public()})))
}

// thumbprint is the one that go-jose computes.
func (c client) thumbprint() string {
	key := jose.JSONWebKey{Key: c.private.Public()}
	return base64.RawURLEncoding.EncodeToString(must(key.Thumbprint(crypto.SHA256)))
}

func (c client) header() string {
	return `{"typ":"dpop+jwt","alg":"` + c.alg + `","jwk":` + c.jwk() + `}`
}

// sign makes a proof of a header and claims as they are written.
func (c client) sign(header, claims string) string {
	input := encode(header) + "." + encode(claims)
	return input + "." + encode(string(c.signature(input)))
}

func (c client) good() string { return c.sign(c.header(), claims) }

func (c client) signature(input string) []byte {
	digest := sha256.Sum256([]byte(input))
	switch private := c.private.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(private, []byte(input))
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
		size := (private.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), must(s, err).FillBytes(make([]byte, size))...)
	default:
		return must(c.private.Sign(rand.Reader, digest[:], crypto.SHA256))
	}
}

// mac signs with a secret.
func mac(header, claims string, secret []byte) string {
	input := encode(header) + "." + encode(claims)
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(input))
	return input + "." + encode(string(m.Sum(nil)))
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// replaced replaces old by updated in text, where it must stand.
func replaced(t testing.TB, text, old, updated string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("the test is wrong: %q does not stand in %s", old, text)
	}
	return strings.ReplaceAll(text, old, updated)
}

// weakRSA is a client whose key has a modulus of some bits. Nobody could sign with it, and nobody gets so far.
func weakRSA(bits int) string {
	n := new(big.Int).SetBit(must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), uint(bits-1)))), bits-1, 1)
	return `{"kty":"RSA","e":"AQAB","n":"` + encode(string(n.SetBit(n, 0, 1).Bytes())) + `"}`
}

// bigRSA is a proof of a key of the largest size.
func bigRSA(t *testing.T) string {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 4096)
	c := must(client{"RS256", private}, err)
	return c.good()
}
