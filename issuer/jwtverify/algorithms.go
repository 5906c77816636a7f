package jwtverify

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"

	jose "github.com/go-jose/go-jose/v4"
)

// What an RSA key may be: below, it can be factored; above, a verification costs too much. A small exponent has been the
// opening of several forgeries.
const (
	MinRSABits     = 2048
	MaxRSABits     = 8192
	MinRSAExponent = 1<<16 + 1
)

// Algorithms are those that a foreign signature may have. No PS*: the library accepts any length of salt.
func Algorithms() []string {
	return []string{string(jose.ES256), string(jose.ES384), string(jose.ES512), string(jose.RS256), string(jose.RS384), string(jose.RS512), string(jose.EdDSA)}
}

// Fits tells whether a key verifies signatures of one of Algorithms: a public one of its type, on its curve (RFC 7518 sections
// 3.3 and 3.4, RFC 8037 section 3.1), and Strong if it is an RSA key.
func Fits(alg string, key any) bool {
	switch public := key.(type) {
	case *ecdsa.PublicKey:
		switch public.Curve.Params().BitSize {
		case 256:
			return alg == string(jose.ES256)
		case 384:
			return alg == string(jose.ES384)
		case 521:
			return alg == string(jose.ES512)
		}
	case *rsa.PublicKey:
		return (alg == string(jose.RS256) || alg == string(jose.RS384) || alg == string(jose.RS512)) && Strong(public)
	case ed25519.PublicKey:
		return alg == string(jose.EdDSA) && len(public) == ed25519.PublicKeySize
	}
	return false
}

// Strong tells whether an RSA key is within the bounds.
func Strong(key *rsa.PublicKey) bool {
	bits := key.N.BitLen()
	return bits >= MinRSABits && bits <= MaxRSABits && key.N.Bit(0) == 1 && key.E >= MinRSAExponent && key.E&1 == 1
}
