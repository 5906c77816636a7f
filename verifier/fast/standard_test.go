package fast

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"math/big"
	"testing"
)

// order is that of P-256.
func order() *big.Int { return elliptic.P256().Params().N }

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// p256Pair is a private key and what is prepared for its public one.
type p256Pair struct {
	d        *big.Int
	public   *ecdsa.PublicKey
	prepared *p256Key
}

// newP256Pair has the private key d, from 1 to the order minus 1.
func newP256Pair(d *big.Int) *p256Pair {
	private := must(ecdsa.ParseRawPrivateKey(elliptic.P256(), d.FillBytes(make([]byte, 32))))
	return &p256Pair{d, &private.PublicKey, newP256Key(&private.PublicKey)}
}

// agree gives a signature to crypto/ecdsa and to the table, which must say the same, and returns what they say.
func (p *p256Pair) agree(t testing.TB, name string, digest [32]byte, signature [64]byte) bool {
	t.Helper()
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	want := ecdsa.Verify(p.public, digest[:], r, s)
	if got := p.prepared.verify(digest, &signature); got != want {
		t.Errorf("%s: accepted: %v, by crypto/ecdsa %v: key %x, digest %x, signature %x", name, got, want, p.d, digest, signature)
	}
	return want
}

// edwardsPair is a public key and what is prepared for it.
type edwardsPair struct {
	public   ed25519.PublicKey
	prepared *edwardsKey
}

// newEdwardsPair returns nil for what is no key.
func newEdwardsPair(public ed25519.PublicKey) *edwardsPair {
	prepared := newEdwardsKey(public, base)
	if prepared == nil {
		return nil
	}
	return &edwardsPair{public, prepared}
}

var base = New().base

// agree gives a signature to crypto/ed25519 and to the table, which must say the same, and returns what they say.
func (p *edwardsPair) agree(t testing.TB, name, input string, signature [64]byte) bool {
	t.Helper()
	want := ed25519.Verify(p.public, []byte(input), signature[:])
	if got := p.prepared.check(input, signature); got != want {
		t.Errorf("%s: accepted: %v, by crypto/ed25519 %v: key %x, input %q, signature %x", name, got, want, p.public, input, signature)
	}
	return want
}
