package fast

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"
	"math/big"
	"testing"

	"filippo.io/nistec"
)

// The numbers of these tests: in hexadecimal digits, or as a sum with the order n.
func number(text string) *big.Int {
	n, ok := new(big.Int).SetString(text, 16)
	if !ok {
		panic("the test is wrong: " + text)
	}
	return n
}

func plus(n *big.Int, more int64) *big.Int { return new(big.Int).Add(n, big.NewInt(more)) }

// modulo returns a number modulo the order, which may be the product of several.
func modulo(factors ...*big.Int) *big.Int {
	product := big.NewInt(1)
	for _, factor := range factors {
		product.Mod(product.Mul(product, factor), order())
	}
	return product
}

func inverse(n *big.Int) *big.Int { return new(big.Int).ModInverse(n, order()) }

func bytes32(n *big.Int) (encoded [32]byte) {
	n.FillBytes(encoded[:])
	return encoded
}

func signatureOf(r, s *big.Int) (signature [64]byte) {
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signature
}

// xOf returns the x of k · G modulo the order, nil for the point at infinity.
func xOf(k *big.Int) *big.Int {
	x, err := must(nistec.NewP256Point().ScalarBaseMult(modulo(k).FillBytes(make([]byte, 32)))).BytesX()
	if err != nil {
		return nil
	}
	return modulo(new(big.Int).SetBytes(x))
}

// special are scalars at the ends of the range and at the ends of windows: digits of 0, 64, -63, 1 and -1, with carries from one to
// the next and without.
func special() []*big.Int {
	n := order()
	half := new(big.Int).Rsh(n, 1)
	all := []*big.Int{
		big.NewInt(0), big.NewInt(1), big.NewInt(2), big.NewInt(63), big.NewInt(64), big.NewInt(65), big.NewInt(127), big.NewInt(128),
		plus(n, -1), plus(n, -2), plus(n, -64), half, plus(half, 1),
	}
	for _, window := range []int64{1, 63, 64, 65, 127} { // in every window at once
		sum := new(big.Int)
		for at := 0; at < 252; at += p256Width {
			sum.Add(sum, new(big.Int).Lsh(big.NewInt(window), uint(at)))
		}
		all = append(all, modulo(sum))
	}
	for _, at := range []uint{6, 7, 8, 63, 64, 65, 127, 128, 192, 251, 252, 255} { // alone, also across two words
		all = append(all, modulo(new(big.Int).Lsh(big.NewInt(1), at)), modulo(new(big.Int).Lsh(big.NewInt(0x7f), at)))
	}
	return all
}

// For two scalars of choice there is a signature that has them: the two multiples are then equal, opposite, infinity, or whatever else
// an attacker could wish for.
func TestP256ScalarsOfChoice(t *testing.T) {
	accepted, infinite := 0, 0
	for _, d := range []*big.Int{big.NewInt(1), big.NewInt(2), plus(order(), -1), big.NewInt(64), number("1234567890abcdef1234567890abcdef")} {
		pair := newP256Pair(d)
		scalars := append(special(), modulo(d), modulo(plus(order(), -1), d), inverse(d), modulo(plus(order(), -1), inverse(d)))
		for _, u1 := range scalars {
			for _, u2 := range scalars {
				if u2.Sign() == 0 {
					continue // r would be 0
				}
				name := fmt.Sprintf("d %x, u1 %x, u2 %x", d, u1, u2)
				r := xOf(new(big.Int).Add(u1, modulo(u2, d)))
				if r == nil { // u1 · G = -u2 · Q
					infinite++
					for _, r := range []*big.Int{big.NewInt(1), u2, plus(order(), -1)} {
						s := modulo(r, inverse(u2))
						if pair.agree(t, name, bytes32(modulo(u1, s)), signatureOf(r, s)) {
							t.Errorf("%s: the point at infinity is accepted", name)
						}
					}
					continue
				}
				s := modulo(r, inverse(u2))
				digest := bytes32(modulo(u1, s))
				if !pair.agree(t, name, digest, signatureOf(r, s)) {
					t.Errorf("%s: refused", name)
				}
				accepted++
			}
		}
	}
	if accepted < 5000 || infinite < 50 {
		t.Errorf("only %d were accepted, and %d were the point at infinity", accepted, infinite)
	}
}

// r and s are from 1 to the order minus 1, and nothing else is taken for them modulo the order.
func TestP256Range(t *testing.T) {
	n, p := order(), elliptic.P256().Params().P
	pair := newP256Pair(number("f00d"))
	edges := []*big.Int{
		big.NewInt(0), big.NewInt(1), big.NewInt(2), plus(n, -2), plus(n, -1), n, plus(n, 1), plus(n, 2), plus(p, -1), p,
		new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)),
	}
	for _, digest := range append(edges, number("abcdef")) {
		for _, r := range edges {
			for _, s := range edges {
				accepted := pair.agree(t, "edges", bytes32(digest), signatureOf(r, s))
				if accepted && (r.Sign() == 0 || s.Sign() == 0 || r.Cmp(n) >= 0 || s.Cmp(n) >= 0) {
					t.Errorf("r %x and s %x are accepted", r, s)
				}
			}
		}
	}
	// Of a good signature with small numbers the order is added to each. xOf(k) is small for no k that is known, so r is
	// small by the choice of the key below, and s by the choice of the digest.
	k := big.NewInt(7)
	r, s := xOf(k), big.NewInt(5)
	digest := bytes32(modulo(new(big.Int).Sub(modulo(s, k), modulo(r, pair.d))))
	for name, signature := range map[string]struct {
		s    *big.Int
		want bool
	}{
		"s": {s, true}, "the opposite s, which is high": {new(big.Int).Sub(n, s), true}, "s + n": {new(big.Int).Add(s, n), false},
		"another s": {plus(s, 1), false},
	} {
		if pair.agree(t, name, digest, signatureOf(r, signature.s)) != signature.want {
			t.Errorf("%s: accepted is not %v", name, signature.want)
		}
	}
	// A digest is a number of 256 bits, which is more than the order: adding that changes nothing.
	small := big.NewInt(9)
	s = modulo(inverse(k), new(big.Int).Add(small, modulo(r, pair.d)))
	for _, digest := range []*big.Int{small, new(big.Int).Add(small, n)} {
		if !pair.agree(t, "a digest modulo the order", bytes32(digest), signatureOf(r, s)) {
			t.Errorf("the digest %x is refused", digest)
		}
	}
}

// The x of a point may be larger than the order: r is then x - n, and x itself is refused. The key is made for such a point.
func TestP256XBeyondTheOrder(t *testing.T) {
	tried := 0
	for more := int64(1); tried < 5; more++ {
		x := plus(order(), more)
		r := big.NewInt(more)
		encoded := x.FillBytes(make([]byte, 33))
		encoded[0] = 2 + byte(more%2)
		point, err := nistec.NewP256Point().SetBytes(encoded)
		if err != nil {
			continue // there is no point with this x
		}
		tried++
		// Q = (s · R - e · G) / r
		s, e := big.NewInt(1000+more), big.NewInt(2000+more)
		q := must(nistec.NewP256Point().ScalarMult(point, s.FillBytes(make([]byte, 32))))
		minusE := new(big.Int).Sub(order(), e)
		q.Add(q, must(nistec.NewP256Point().ScalarBaseMult(minusE.FillBytes(make([]byte, 32)))))
		q = must(nistec.NewP256Point().ScalarMult(q, inverse(r).FillBytes(make([]byte, 32))))
		public := must(ecdsa.ParseUncompressedPublicKey(elliptic.P256(), q.Bytes()))
		pair := &p256Pair{new(big.Int), public, newP256Key(public)}
		for name, signature := range map[string]struct {
			r    *big.Int
			want bool
		}{"r": {r, true}, "r + n": {x, false}, "r + 1": {plus(r, 1), false}} {
			if pair.agree(t, name, bytes32(e), signatureOf(signature.r, s)) != signature.want {
				t.Errorf("x = n + %d: %s: accepted is not %v", more, name, signature.want)
			}
		}
	}
}

// The table has the multiples that it says it has.
func TestP256Table(t *testing.T) {
	pair := newP256Pair(big.NewInt(3))
	for i := range pair.prepared.table {
		for d := range pair.prepared.table[i] {
			scalar := modulo(new(big.Int).Lsh(big.NewInt(3*int64(d+1)), uint(p256Width*i)))
			want := must(nistec.NewP256Point().ScalarBaseMult(scalar.FillBytes(make([]byte, 32))))
			if !bytes.Equal(want.Bytes(), pair.prepared.table[i][d].Bytes()) {
				t.Fatalf("window %d: the multiple by %d is another point", i, d+1)
			}
		}
	}
}

// What is no point of the curve is left to crypto/ecdsa, which accepts no signature of it.
func TestP256KeysThatAreNone(t *testing.T) {
	for name, public := range map[string]*ecdsa.PublicKey{
		"no numbers":       {Curve: elliptic.P256(), X: new(big.Int), Y: new(big.Int)},
		"not on the curve": {Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)},
	} {
		if newP256Key(public) != nil {
			t.Errorf("%s: it is taken for a key", name)
		}
	}
}
