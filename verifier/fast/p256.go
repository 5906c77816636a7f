package fast

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"math/big"
	"slices"
	"sync"

	"filippo.io/nistec"
)

// The windows of a P-256 table: 37 of 7 bits cover 256 bits and a carry.
const (
	p256Width   = 7
	p256Windows = 37
)

// p256Table holds d · 2^(7·i) · Q for each window i and d from 1 to 64, at [i][d-1]. It takes 227,328 bytes.
type p256Table [p256Windows][1 << (p256Width - 1)]nistec.P256Point

func newP256Table(q *nistec.P256Point) *p256Table {
	table := new(p256Table)
	unit := nistec.NewP256Point().Set(q)
	for i := range table {
		multiples := &table[i]
		multiples[0].Set(unit)
		for d := 1; d < len(multiples); d++ {
			multiples[d].Add(&multiples[d-1], unit)
		}
		unit.Double(&multiples[len(multiples)-1])
	}
	return table
}

// multiple sets sum to scalar · Q, for a scalar in little-endian order. Add is complete: it is correct for equal and
// opposite points and for the point at infinity.
func (t *p256Table) multiple(sum *nistec.P256Point, scalar *[32]byte) {
	negative := nistec.NewP256Point()
	sum.Set(negative) // infinity
	digit := digits(scalar, p256Width)
	for i := range t {
		switch d := digit[i]; {
		case d > 0:
			sum.Add(sum, &t[i][d-1])
		case d < 0:
			sum.Add(sum, negative.Negate(&t[i][-d-1]))
		}
	}
}

// p256Key verifies the signatures of one key.
type p256Key struct {
	table   *p256Table
	order   *big.Int
	numbers sync.Pool // of *numbers
}

// numbers holds the temporary values of a verification, modulo the order of the curve. They are pooled to reduce
// allocations.
type numbers struct{ r, s, e, inverse, divisor, product, quotient big.Int }

// newP256Key returns nil if the key is not a point on the curve.
func newP256Key(public *ecdsa.PublicKey) *p256Key {
	encoded, err := public.Bytes()
	if err != nil {
		return nil
	}
	q, err := nistec.NewP256Point().SetBytes(encoded)
	if err != nil {
		return nil
	}
	key := &p256Key{table: newP256Table(q), order: elliptic.P256().Params().N}
	key.numbers.New = func() any { return new(numbers) }
	return key
}

func (k *p256Key) check(input string, signature [64]byte) bool {
	var buffer [2 << 10]byte // avoids a heap allocation for most tokens
	return k.verify(sha256.Sum256(append(buffer[:0], input...)), &signature)
}

// verify follows FIPS 186-5 section 6.4.2. signature is r followed by s. Each multiple has its own accumulator, and
// all additions are complete.
func (k *p256Key) verify(digest [sha256.Size]byte, signature *[64]byte) bool {
	n := k.numbers.Get().(*numbers)
	defer k.numbers.Put(n)
	n.r.SetBytes(signature[:32])
	n.s.SetBytes(signature[32:])
	if !k.inRange(&n.r) || !k.inRange(&n.s) {
		return false
	}
	// The order is a prime, so s has an inverse.
	n.divisor.GCD(&n.inverse, nil, &n.s, k.order)
	var u1, u2 [32]byte
	k.product(&u1, n, n.e.SetBytes(digest[:]))
	k.product(&u2, n, &n.r)
	var ofBase, ofKey nistec.P256Point
	if _, err := ofBase.ScalarBaseMult(u1[:]); err != nil {
		return false
	}
	slices.Reverse(u2[:])
	k.table.multiple(&ofKey, &u2)
	x, err := ofBase.Add(&ofBase, &ofKey).BytesX()
	if err != nil {
		return false // the point at infinity
	}
	n.quotient.DivMod(n.product.SetBytes(x), k.order, &n.e)
	return n.e.Cmp(&n.r) == 0
}

// inRange reports whether a number of a signature is at least 1 and less than the order of the curve.
func (k *p256Key) inRange(number *big.Int) bool { return number.Sign() > 0 && number.Cmp(k.order) < 0 }

// product writes factor / s modulo the order, in big-endian order. The inverse of s may be negative, because DivMod
// is Euclidean.
func (k *p256Key) product(into *[32]byte, n *numbers, factor *big.Int) {
	n.product.Mul(factor, &n.inverse)
	n.quotient.DivMod(&n.product, k.order, &n.s)
	n.s.FillBytes(into[:])
}
