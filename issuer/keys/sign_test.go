package keys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
)

// A key signs with the algorithms of its type and size alone.
func TestKeysOfAnotherTypeAreRefused(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	large, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key   any
		works []string
	}{{p256, []string{"ES256"}}, {p384, []string{"ES384"}}, {ed, []string{"EdDSA"}}, {large, []string{"RS256", "RS384", "RS512"}}, {[]byte("symmetric"), nil}} {
		works := map[string]bool{}
		for _, alg := range c.works {
			works[alg] = true
		}
		for _, alg := range []string{"ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "EdDSA", "PS256", "HS256", "none", ""} {
			if _, err := newSigner(&jose.JSONWebKey{Key: c.key, Algorithm: alg, KeyID: "x"}); (err == nil) != works[alg] {
				t.Errorf("%T with %q: %v", c.key, alg, err)
			}
		}
	}
}

// r and s have a fixed length (RFC 7518 section 3.4), also when they are small numbers.
func TestECDSASignaturesHaveAFixedLength(t *testing.T) {
	encode := func(r, s *big.Int) []byte {
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	got, err := rawSignature(encode(big.NewInt(0x80), big.NewInt(1)), 32)
	want := make([]byte, 64)
	want[31], want[63] = 0x80, 1
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x %v", got, err)
	}
	for name, der := range map[string][]byte{
		"nothing": nil, "no ASN.1": []byte("x"), "too large": encode(new(big.Int).Lsh(big.NewInt(1), 257), big.NewInt(1)), "negative": encode(big.NewInt(-1), big.NewInt(1)),
	} {
		if got, err := rawSignature(der, 32); err == nil {
			t.Errorf("%s: %x", name, got)
		}
	}
}
