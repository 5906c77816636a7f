package jws

import (
	"encoding/hex"
	"math/big"
	"slices"
	"testing"
)

// The equation of the curve gives every y of small order: y² = 1 for the orders 1 and 2, y = 0 for 4, and d·y⁴ + 2·y² = 1 for 8, where
// doubling leads to y = 0.
func TestSmallOrders(t *testing.T) {
	one := big.NewInt(1)
	p := new(big.Int).Sub(new(big.Int).Lsh(one, 255), big.NewInt(19))
	d := new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), p))
	for name, c := range map[string]struct {
		y       string
		isOrder func(y2 *big.Int) bool
	}{
		"1":            {order1, func(y2 *big.Int) bool { return y2.Cmp(one) == 0 }},
		"2":            {order2, func(y2 *big.Int) bool { return y2.Cmp(one) == 0 }},
		"4":            {order4, func(y2 *big.Int) bool { return y2.Sign() == 0 }},
		"8":            {order8, func(y2 *big.Int) bool { return isOrder8(d, y2, p) }},
		"8, the other": {order8Second, func(y2 *big.Int) bool { return isOrder8(d, y2, p) }},
	} {
		bytes := []byte(c.y)
		slices.Reverse(bytes)
		y := new(big.Int).SetBytes(bytes)
		y2 := new(big.Int).Mul(y, y)
		if !c.isOrder(y2.Mod(y2, p)) || y.Cmp(p) >= 0 {
			t.Errorf("%x is not of order %s", c.y, name)
		}
	}
	if different := map[string]bool{order1: true, order2: true, order4: true, order8: true, order8Second: true}; len(different) != 5 {
		t.Error("two are the same")
	}
}

func isOrder8(d, y2, p *big.Int) bool {
	sum := new(big.Int).Mul(d, y2)
	sum.Mul(sum, y2).Add(sum, y2).Add(sum, y2).Sub(sum, big.NewInt(1))
	return sum.Mod(sum, p).Sign() == 0
}

// The points of small order, in every encoding that some implementation reads, and numbers that are too large.
func TestEdwardsPoints(t *testing.T) {
	for name, encoded := range map[string]string{
		"order 1":                  "0100000000000000000000000000000000000000000000000000000000000000",
		"order 2":                  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 4":                  "0000000000000000000000000000000000000000000000000000000000000000",
		"order 8":                  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"order 8, the other":       "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"order 4, not canonical":   "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 1, not canonical":   "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"y = p + 3, not canonical": "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		point, err := hex.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		for _, sign := range []byte{0, 0x80} {
			point[31] = point[31]&0x7f | sign
			if err := checkEdwardsPoint(point); err == nil {
				t.Errorf("%s, sign %x: accepted", name, sign)
			}
		}
	}
	for name, encoded := range map[string]string{
		"y = 2":   "0200000000000000000000000000000000000000000000000000000000000000",
		"y = p-2": "ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		point, err := hex.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if OnCurve(point) {
			t.Errorf("%s is on the curve", name)
		}
		if err := checkEdwardsPoint(point); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
