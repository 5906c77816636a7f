package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/keywright/keywright/verifier/internal/strictjson"
)

// The limits of an RSA key: a smaller one can be factored, and a larger one makes verification too expensive. Small
// exponents have led to several signature forgeries, and crypto/rsa accepts none over 31 bits.
const (
	MinRSABits     = 2048
	MaxRSABits     = 8192
	minRSAExponent = 1<<16 + 1
	maxRSAExponent = 1<<31 - 1
)

// ErrUnsupported is returned for a key of an unsupported type or algorithm.
var ErrUnsupported = errors.New("unsupported key")

// RefuseSecret returns an error for a JWK with private or symmetric key material. The error names a member and does
// not quote it.
func RefuseSecret(jwk strictjson.Object) error {
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if jwk.Has(name) {
			return fmt.Errorf("it has the private member %q", name)
		}
	}
	kty, _ := strictjson.Text(jwk.Find("kty"))
	alg, _ := strictjson.Text(jwk.Find("alg"))
	if kty == "oct" || strings.HasPrefix(alg, "HS") || strings.EqualFold(alg, "none") {
		return errors.New("its algorithm is symmetric, or none")
	}
	return nil
}

// MayVerify reports whether a JWK has no key_ops, or verify among them (RFC 7517 section 4.3).
func MayVerify(jwk strictjson.Object) bool {
	if !jwk.Has("key_ops") {
		return true
	}
	operations, _ := strictjson.List(jwk.Find("key_ops"))
	for _, operation := range operations {
		if name, _ := strictjson.Text(operation); name == "verify" {
			return true
		}
	}
	return false
}

// PublicKey returns the validated public key of a JWK with the given kty and crv, which KeyTypeOf has returned: an
// *ecdsa.PublicKey, an ed25519.PublicKey or a *rsa.PublicKey of MinRSABits to MaxRSABits. No error quotes a number.
func PublicKey(kty, crv string, jwk strictjson.Object) (crypto.PublicKey, error) {
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
		return nil, ErrUnsupported
	}
}

// ecKey parses an EC key (RFC 7518 section 6.2.1). Both coordinates must have full length, and the point must be on
// the curve.
func ecKey(curve elliptic.Curve, jwk strictjson.Object) (*ecdsa.PublicKey, error) {
	size := (curve.Params().BitSize + 7) / 8
	var buffer [1 + 2*66]byte
	point := append(buffer[:0], 4) // uncompressed, SEC 1 section 2.3.3
	for _, name := range [...]string{"x", "y"} {
		before := len(point)
		var err error
		if point, err = appendOctets(point, jwk, name, size); err != nil {
			return nil, err
		}
		if length := len(point) - before; length != size {
			return nil, fmt.Errorf("%s has %d bytes, not %d", name, length, size)
		}
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, errors.New("x and y are not a point on the curve")
	}
	return public, nil
}

// edKey parses an Ed25519 key (RFC 8037 section 2).
func edKey(jwk strictjson.Object) (ed25519.PublicKey, error) {
	x, err := appendOctets(make([]byte, 0, ed25519.PublicKeySize), jwk, "x", ed25519.PublicKeySize)
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

// rsaKey parses an RSA key (RFC 7518 section 6.3.1). Both numbers must have no leading zeros.
func rsaKey(jwk strictjson.Object) (*rsa.PublicKey, error) {
	n, err := uintMember(jwk, "n")
	if err != nil {
		return nil, err
	}
	e, err := uintMember(jwk, "e")
	if err != nil {
		return nil, err
	}
	if n.BitLen() < MinRSABits || n.BitLen() > MaxRSABits {
		return nil, fmt.Errorf("n has %d bits, not %d to %d", n.BitLen(), MinRSABits, MaxRSABits)
	}
	if n.Bit(0) == 0 {
		return nil, errors.New("n is even")
	}
	if !e.IsInt64() || e.Int64() < minRSAExponent || e.Int64() > maxRSAExponent || e.Bit(0) == 0 {
		return nil, fmt.Errorf("e is not an odd number from %d to %d", minRSAExponent, maxRSAExponent)
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// uintMember returns a Base64urlUInt member (RFC 7518 section 2).
func uintMember(jwk strictjson.Object, name string) (*big.Int, error) {
	var buffer [MaxRSABits / 8]byte
	data, err := appendOctets(buffer[:0], jwk, name, MaxRSABits/8)
	if err != nil {
		return nil, err
	}
	if data[0] == 0 {
		return nil, fmt.Errorf("%s has leading zeros", name)
	}
	return new(big.Int).SetBytes(data), nil
}

// appendOctets decodes a non-empty base64url member (RFC 7515 section 2) and appends it to a buffer. It rejects a
// member that is much longer than usual.
func appendOctets(into []byte, jwk strictjson.Object, name string, usual int) ([]byte, error) {
	value, err := StringMember(jwk, name)
	if err != nil {
		return nil, err
	}
	if len(value) > 4*usual {
		return nil, fmt.Errorf("%s is too long", name)
	}
	var buffer [MaxRSABits / 6]byte
	if into, err = AppendBase64(into, append(buffer[:0], value...)); err != nil {
		return nil, fmt.Errorf("%s is not base64url", name)
	}
	return into, nil
}

// StringMember returns a member that must be a non-empty string.
func StringMember(members strictjson.Object, name string) (string, error) {
	value, _ := strictjson.Text(members.Find(name))
	if value == "" {
		return "", fmt.Errorf("%s is missing, empty or not a string", name)
	}
	return value, nil
}
