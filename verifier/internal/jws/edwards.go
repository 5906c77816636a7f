package jws

import (
	"errors"
	"math/big"
	"slices"
)

// The y coordinates of the eight points of small order of edwards25519, as 32 bytes in little-endian order without
// the sign of x: of order 1, 2, 4 and twice 8. TestSmallOrders computes them from the equation of the curve.
const (
	zeros15      = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	ones15       = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	order1       = "\x01" + zeros15 + zeros15 + "\x00"
	order2       = "\xec" + ones15 + ones15 + "\x7f"
	order4       = "\x00" + zeros15 + zeros15 + "\x00"
	order8       = "\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05"
	order8Second = "\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a"
)

// checkEdwardsPoint requires that the 32 bytes are the canonical encoding of a point (RFC 8032 section 5.1.3) that is
// not one of the eight of small order, for which anybody can forge signatures. crypto/ed25519 does not check this.
// Each verification, and OnCurve, checks that the point is on the curve.
func checkEdwardsPoint(encoded []byte) error {
	y := [32]byte(encoded)
	y[31] &= 0x7f // without the sign of x
	// 2²⁵⁵ - 19, the first number that is not canonical, is ED FF … FF 7F.
	if y[0] >= 0xed && string(y[1:]) == order2[1:] {
		return errors.New("x is not the canonical encoding of a point")
	}
	switch string(y[:]) {
	case order1, order2, order4, order8, order8Second:
		return errors.New("x is a point of small order")
	}
	return nil
}

// OnCurve reports whether 32 bytes that PublicKey has accepted encode a point of edwards25519. No signature is valid
// for any other key, so it is not needed for verification.
//
// The curve is -x² + y² = 1 + d·x²·y² over the integers modulo p = 2²⁵⁵ - 19.
func OnCurve(encoded []byte) bool {
	bytes := slices.Clone(encoded)
	bytes[31] &= 0x7f // the sign of x
	slices.Reverse(bytes)
	y := new(big.Int).SetBytes(bytes)

	one := big.NewInt(1)
	p := new(big.Int).Sub(new(big.Int).Lsh(one, 255), big.NewInt(19))
	d := new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), p))

	// x² = (y² - 1) / (d·y² + 1) must be a square, and u / v is one exactly when u·v is.
	y2 := new(big.Int).Mul(y, y)
	u := new(big.Int).Sub(y2, one)
	v := new(big.Int).Add(new(big.Int).Mul(d, y2), one)
	product := u.Mul(u, v)
	return big.Jacobi(product.Mod(product, p), p) == 1
}
