package fast

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"

	"filippo.io/edwards25519"
)

// The windows of an edwards25519 table: 43 of 6 bits cover 256 bits and a carry.
const (
	edwardsWidth   = 6
	edwardsWindows = 43
)

// edwardsTable holds d · 2^(6·i) · P for each window i and d from 1 to 32, at [i][d-1]. It takes 220,160 bytes.
type edwardsTable [edwardsWindows][1 << (edwardsWidth - 1)]edwards25519.Point

func newEdwardsTable(p *edwards25519.Point) *edwardsTable {
	table := new(edwardsTable)
	unit := edwards25519.NewIdentityPoint().Set(p)
	for i := range table {
		multiples := &table[i]
		multiples[0].Set(unit)
		for d := 1; d < len(multiples); d++ {
			multiples[d].Add(&multiples[d-1], unit)
		}
		last := &multiples[len(multiples)-1]
		unit.Add(last, last)
	}
	return table
}

func newBaseTable() *edwardsTable { return newEdwardsTable(edwards25519.NewGeneratorPoint()) }

// multiple sets sum to scalar · P. Add and Subtract are complete: the formulas hold for all pairs of points,
// including those of small order.
func (t *edwardsTable) multiple(sum *edwards25519.Point, scalar *edwards25519.Scalar) {
	sum.Set(edwards25519.NewIdentityPoint())
	digit := digits((*[32]byte)(scalar.Bytes()), edwardsWidth)
	for i := range t {
		switch d := digit[i]; {
		case d > 0:
			sum.Add(sum, &t[i][d-1])
		case d < 0:
			sum.Subtract(sum, &t[i][-d-1])
		}
	}
}

// edwardsKey verifies the signatures of one key A.
type edwardsKey struct {
	encoded [ed25519.PublicKeySize]byte
	minusA  *edwardsTable
	base    *edwardsTable
}

// newEdwardsKey returns nil if the key is not a point on the curve. Like crypto/ed25519, it accepts non-canonical
// encodings and hashes them unchanged.
func newEdwardsKey(public ed25519.PublicKey, base func() *edwardsTable) *edwardsKey {
	if len(public) != ed25519.PublicKeySize {
		return nil
	}
	a, err := new(edwards25519.Point).SetBytes(public)
	if err != nil {
		return nil
	}
	return &edwardsKey{encoded: [ed25519.PublicKeySize]byte(public), minusA: newEdwardsTable(a.Negate(a)), base: base()}
}

// check follows RFC 8032 section 5.1.7 with the equation without the cofactor, S·B = R + k·A, as crypto/ed25519 does.
// It compares encodings, so it rejects a non-canonical R.
func (k *edwardsKey) check(input string, signature [64]byte) bool {
	s, err := new(edwards25519.Scalar).SetCanonicalBytes(signature[32:])
	if err != nil {
		return false
	}
	var buffer [2 << 10]byte // avoids a heap allocation for most tokens
	hashed := append(append(append(buffer[:0], signature[:32]...), k.encoded[:]...), input...)
	digest := sha512.Sum512(hashed)
	hram, err := new(edwards25519.Scalar).SetUniformBytes(digest[:])
	if err != nil {
		return false
	}
	var ofBase, ofKey edwards25519.Point
	k.base.multiple(&ofBase, s)
	k.minusA.multiple(&ofKey, hram)
	return bytes.Equal(ofBase.Add(&ofBase, &ofKey).Bytes(), signature[:32])
}
