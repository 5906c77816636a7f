package jws_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"slices"
	"testing"

	"github.com/keywright/keywright/api/jws"
)

// A key fits the algorithms of its type and curve alone, and every hash of the table is there.
func TestKeysFitTheirAlgorithms(t *testing.T) {
	ec := func(curve elliptic.Curve) crypto.PublicKey {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key.Public()
	}
	large, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key  crypto.PublicKey
		fits []string
	}{
		{ec(elliptic.P256()), []string{"ES256"}},
		{ec(elliptic.P384()), []string{"ES384"}},
		{ec(elliptic.P521()), []string{"ES512"}},
		{ec(elliptic.P224()), nil},
		{large.Public(), []string{"RS256", "RS384", "RS512"}},
		{ed, []string{"EdDSA"}},
		{ed[:31], nil},
		{large, nil}, // private
		{[]byte("symmetric"), nil},
		{nil, nil},
	} {
		var fits []string
		for _, a := range jws.Algorithms() {
			if a.Fits(c.key) {
				fits = append(fits, a.Name)
			}
		}
		if !slices.Equal(fits, c.fits) {
			t.Errorf("%T fits %v, want %v", c.key, fits, c.fits)
		}
	}
	for _, a := range jws.Algorithms() {
		if found, ok := jws.Find(a.Name); !ok || found != a || (a.Hash == 0) != (a.Name == "EdDSA") || a.Hash != 0 && !a.Hash.Available() {
			t.Errorf("%+v is found as %+v", a, found)
		}
	}
	for _, name := range []string{"", "none", "HS256", "PS256", "es256"} {
		if _, ok := jws.Find(name); ok {
			t.Errorf("%q is an algorithm", name)
		}
	}
}
