package verifier

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
)

// What an RSA key may be: below, it can be factored; above, one verification costs too much. An exponent under 65537
// has been the opening of several signature forgeries, and crypto/rsa takes none over 31 bits.
const (
	minRSABits     = 2048
	maxRSABits     = 8192
	minRSAExponent = 1<<16 + 1
	maxRSAExponent = 1<<31 - 1
)

// publicKey makes the key of the kty and crv given, one of those that keyTypeOf returns, and checks its numbers.
func publicKey(kty, crv string, jwk object) (crypto.PublicKey, error) {
	switch {
	case kty == "EC" && crv == "P-256":
		return ecKey(elliptic.P256(), jwk)
	case kty == "EC" && crv == "P-384":
		return ecKey(elliptic.P384(), jwk)
	case kty == "EC" && crv == "P-521":
		return ecKey(elliptic.P521(), jwk)
	case kty == "OKP" && crv == "Ed25519":
		return edKey(jwk)
	case kty == "RSA":
		return rsaKey(jwk)
	default:
		return nil, errUnsupported
	}
}

// ecKey follows RFC 7518 section 6.2.1: both coordinates at their full length, and the point on the curve.
func ecKey(curve elliptic.Curve, jwk object) (*ecdsa.PublicKey, error) {
	size := (curve.Params().BitSize + 7) / 8
	point := []byte{4} // uncompressed, SEC 1 section 2.3.3
	for _, name := range []string{"x", "y"} {
		coordinate, err := octets(jwk, name)
		if err != nil {
			return nil, err
		}
		if len(coordinate) != size {
			return nil, fmt.Errorf("%s has %d bytes, not %d", name, len(coordinate), size)
		}
		point = append(point, coordinate...)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, errors.New("x and y are not a point on the curve")
	}
	return public, nil
}

// edKey follows RFC 8037 section 2.
func edKey(jwk object) (ed25519.PublicKey, error) {
	x, err := octets(jwk, "x")
	if err != nil {
		return nil, err
	}
	if len(x) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("x has %d bytes, not %d", len(x), ed25519.PublicKeySize)
	}
	if err := checkEdwardsPoint(x); err != nil {
		return nil, err
	}
	return x, nil
}

// rsaKey follows RFC 7518 section 6.3.1: both numbers without leading zeros.
func rsaKey(jwk object) (*rsa.PublicKey, error) {
	n, err := unsigned(jwk, "n")
	if err != nil {
		return nil, err
	}
	e, err := unsigned(jwk, "e")
	if err != nil {
		return nil, err
	}
	if n.BitLen() < minRSABits || n.BitLen() > maxRSABits {
		return nil, fmt.Errorf("n has %d bits, not %d to %d", n.BitLen(), minRSABits, maxRSABits)
	}
	if n.Bit(0) == 0 {
		return nil, errors.New("n is even")
	}
	if !e.IsInt64() || e.Int64() < minRSAExponent || e.Int64() > maxRSAExponent || e.Bit(0) == 0 {
		return nil, fmt.Errorf("e is not an odd number from %d to %d", minRSAExponent, maxRSAExponent)
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// unsigned returns a Base64urlUInt member (RFC 7518 section 2).
func unsigned(jwk object, name string) (*big.Int, error) {
	data, err := octets(jwk, name)
	if err != nil {
		return nil, err
	}
	if data[0] == 0 {
		return nil, fmt.Errorf("%s has leading zeros", name)
	}
	return new(big.Int).SetBytes(data), nil
}
