package jwks_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"testing"

	"github.com/keywright/keywright/api/jwks"
)

func TestKeysThatFit(t *testing.T) {
	ec := func(curve elliptic.Curve) *ecdsa.PublicKey {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return &key.PublicKey
	}
	n := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 2047), big.NewInt(1))
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		alg  string
		key  any
		want bool
	}{
		"P-256":         {"ES256", ec(elliptic.P256()), true},
		"P-384":         {"ES384", ec(elliptic.P384()), true},
		"P-521":         {"ES512", ec(elliptic.P521()), true},
		"another curve": {"ES256", ec(elliptic.P384()), false},
		"no such curve": {"ES256", ec(elliptic.P224()), false},
		"no alg":        {"", ec(elliptic.P224()), false},
		"RSA":           {"RS384", &rsa.PublicKey{N: n, E: 65537}, true},
		"PSS":           {"PS256", &rsa.PublicKey{N: n, E: 65537}, false},
		"small":         {"RS256", &rsa.PublicKey{N: new(big.Int).Rsh(n, 1), E: 65537}, false},
		"large":         {"RS256", &rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(n, 7000), big.NewInt(1)), E: 65537}, false},
		"exponent":      {"RS256", &rsa.PublicKey{N: n, E: 3}, false},
		"Ed25519":       {"EdDSA", public, true},
		"of RSA":        {"ES256", &rsa.PublicKey{N: n, E: 65537}, false},
		"a secret":      {"HS256", []byte("x"), false},
	} {
		if jwks.Fits(c.alg, c.key) != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
}
