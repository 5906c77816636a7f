package verifier

import (
	"errors"
	"math/big"
	"slices"
)

// checkEdwardsPoint checks what crypto/ed25519 leaves to each verification or does not check: that the 32 bytes encode
// a point of edwards25519 (RFC 8032 section 5.1.3), in the one canonical way, and that the point is not one of the
// eight of small order, under which anybody can sign.
//
// The curve is -x² + y² = 1 + d·x²·y² over the integers modulo p = 2²⁵⁵ - 19.
func checkEdwardsPoint(encoded []byte) error {
	bytes := slices.Clone(encoded)
	bytes[31] &= 0x7f // the sign of x
	slices.Reverse(bytes)
	y := new(big.Int).SetBytes(bytes)

	one := big.NewInt(1)
	p := new(big.Int).Sub(new(big.Int).Lsh(one, 255), big.NewInt(19))
	if y.Cmp(p) >= 0 {
		return errors.New("x is not the canonical encoding of a point")
	}
	d := new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), p))
	y2 := new(big.Int).Mul(y, y)
	dy2 := new(big.Int).Mul(d, y2)

	// The order is 1 or 2 for y² = 1, 4 for y = 0, and 8 where doubling leads to y = 0: there y² = -x², which in the
	// equation of the curve gives d·y⁴ + 2·y² = 1.
	order8 := new(big.Int).Mul(dy2, y2)
	order8.Add(order8, y2).Add(order8, y2).Sub(order8, one).Mod(order8, p)
	lowOrder := new(big.Int).Mod(new(big.Int).Sub(y2, one), p)
	if y.Sign() == 0 || lowOrder.Sign() == 0 || order8.Sign() == 0 {
		return errors.New("x is a point of small order")
	}

	// x² = (y² - 1) / (d·y² + 1) must be a square, and u / v is one exactly when u·v is.
	u := new(big.Int).Sub(y2, one)
	v := new(big.Int).Add(dy2, one)
	product := u.Mul(u, v)
	if big.Jacobi(product.Mod(product, p), p) != 1 {
		return errors.New("x is not a point on the curve")
	}
	return nil
}
