package fast

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"filippo.io/edwards25519"
)

// scalar returns a number modulo the order of the base point.
func scalar(n int64) *edwards25519.Scalar {
	var encoded [32]byte
	encoded[0], encoded[1], encoded[2] = byte(n), byte(n>>8), byte(n>>16)
	return must(new(edwards25519.Scalar).SetCanonicalBytes(encoded[:]))
}

// edwardsOrder is L, the order of the base point.
func edwardsOrder() *big.Int {
	minusOne := new(edwards25519.Scalar).Negate(scalar(1)).Bytes()
	slices.Reverse(minusOne)
	return plus(new(big.Int).SetBytes(minusOne), 1)
}

// torsion are the eight points of small order, as multiples of one of order 8, which is L times some point.
func torsion() []*edwards25519.Point {
	minusOne := new(edwards25519.Scalar).Negate(scalar(1))
	for y := byte(2); ; y++ {
		point, err := new(edwards25519.Point).SetBytes(append([]byte{y}, make([]byte, 31)...))
		if err != nil {
			continue
		}
		generator := new(edwards25519.Point).ScalarMult(minusOne, point)
		generator.Add(generator, point)
		all := []*edwards25519.Point{edwards25519.NewIdentityPoint()}
		for next := generator; next.Equal(all[0]) == 0; next = new(edwards25519.Point).Add(next, generator) {
			all = append(all, next)
		}
		if len(all) == 8 {
			return all
		}
	}
}

// encodings are those of the points of small order, canonical or not, with both signs, and every y from p on, most of which is that
// of no such point, or of none.
func encodings() [][32]byte {
	var all [][32]byte
	add := func(encoded [32]byte) {
		for _, sign := range []byte{0, 0x80} {
			encoded[31] = encoded[31]&0x7f | sign
			if !slices.Contains(all, encoded) {
				all = append(all, encoded)
			}
		}
	}
	for _, point := range torsion() {
		add([32]byte(point.Bytes()))
	}
	for low := 0xed; low <= 0xff; low++ {
		beyond := [32]byte(bytes.Repeat([]byte{0xff}, 32))
		beyond[0] = byte(low)
		add(beyond)
	}
	return all
}

// challenge is k of RFC 8032 section 5.1.7.
func challenge(r, public []byte, input string) *edwards25519.Scalar {
	digest := sha512.Sum512(append(append(slices.Clone(r), public...), input...))
	return must(new(edwards25519.Scalar).SetUniformBytes(digest[:]))
}

func join(r, s []byte) [64]byte { return [64]byte(append(slices.Clone(r), s...)) }

// Every encoding of a point of small order, and every y that is not canonical, as A and as R.
func TestEdwardsSmallOrder(t *testing.T) {
	accepted, refused, keys := 0, 0, 0
	scalars := []*edwards25519.Scalar{scalar(0), scalar(7), new(edwards25519.Scalar).Negate(scalar(1))}
	for _, a := range encodings() {
		pair := newEdwardsPair(a[:])
		if pair == nil {
			if ed25519.Verify(a[:], nil, make([]byte, 64)) {
				t.Errorf("%x is no key here", a)
			}
			continue
		}
		keys++
		for _, s := range scalars {
			rs := encodings()
			for _, point := range torsion() {
				rs = append(rs, [32]byte(point.Add(point, new(edwards25519.Point).ScalarBaseMult(s)).Bytes()))
			}
			for _, r := range rs {
				if pair.agree(t, "small order", "m", join(r[:], s.Bytes())) {
					accepted++
				} else {
					refused++
				}
			}
		}
	}
	if keys < 14 || accepted < 20 || refused < 500 {
		t.Errorf("%d keys, %d accepted, %d refused: the test does not try what it should", keys, accepted, refused)
	}
}

// The equation is that without the cofactor: a torsion in R or in A that the other one would forgive is refused, but for where it
// cancels out.
func TestEdwardsMixedOrder(t *testing.T) {
	secret, nonce := scalar(1234567), scalar(7654321)
	accepted := 0
	for i, inKey := range torsion() {
		public := new(edwards25519.Point).ScalarBaseMult(secret)
		public.Add(public, inKey)
		pair := newEdwardsPair(public.Bytes())
		for j, inR := range torsion() {
			for n := range 8 {
				r := new(edwards25519.Point).ScalarBaseMult(nonce)
				r.Add(r, inR)
				input := fmt.Sprint(n)
				k := challenge(r.Bytes(), public.Bytes(), input)
				s := new(edwards25519.Scalar).MultiplyAdd(k, secret, nonce)
				got := pair.agree(t, "mixed order", input, join(r.Bytes(), s.Bytes()))
				if got {
					accepted++
				}
				if i == 0 && got != (j == 0) {
					t.Errorf("torsion %d in R alone: accepted is %v", j, got)
				}
			}
		}
	}
	if accepted < 30 {
		t.Errorf("only %d were accepted", accepted)
	}
}

// S is below the order, in the one way.
func TestEdwardsRange(t *testing.T) {
	private := ed25519.NewKeyFromSeed([]byte(strings.Repeat("s", 32)))
	pair := newEdwardsPair(private.Public().(ed25519.PublicKey))
	good := [64]byte(ed25519.Sign(private, []byte("m")))
	if !pair.agree(t, "good", "m", good) || pair.agree(t, "another input", "n", good) {
		t.Error("a good signature is refused, or accepted for another input")
	}
	little := slices.Clone(good[32:])
	slices.Reverse(little)
	for n, s := 1, new(big.Int).SetBytes(little); ; n++ {
		if s.Add(s, edwardsOrder()); s.BitLen() > 256 {
			break
		}
		encoded := bytes32(s)
		slices.Reverse(encoded[:])
		if pair.agree(t, "S + L", "m", join(good[:32], encoded[:])) {
			t.Errorf("S + %d L is accepted", n)
		}
	}
	for bit := range 512 {
		changed := good
		changed[bit/8] ^= 1 << (bit % 8)
		if pair.agree(t, "a bit", "m", changed) {
			t.Errorf("accepted with bit %d changed", bit)
		}
	}
	for _, s := range []*big.Int{new(big.Int), big.NewInt(1), plus(edwardsOrder(), -1), edwardsOrder(), plus(edwardsOrder(), 1)} {
		encoded := bytes32(s)
		slices.Reverse(encoded[:])
		pair.agree(t, "an edge", "m", join(good[:32], encoded[:]))
	}
	long := strings.Repeat("long", 4096)
	if !pair.agree(t, "a long input", long, [64]byte(ed25519.Sign(private, []byte(long)))) {
		t.Error("a long input is refused")
	}
}

// The table has the multiples that it says it has.
func TestEdwardsTable(t *testing.T) {
	for i := range base() {
		for d := range base()[i] {
			n := new(big.Int).Lsh(big.NewInt(int64(d+1)), uint(edwardsWidth*i))
			encoded := bytes32(n.Mod(n, edwardsOrder()))
			slices.Reverse(encoded[:])
			want := new(edwards25519.Point).ScalarBaseMult(must(new(edwards25519.Scalar).SetCanonicalBytes(encoded[:])))
			if want.Equal(&base()[i][d]) != 1 {
				t.Fatalf("window %d: the multiple by %d is another point", i, d+1)
			}
		}
	}
}
