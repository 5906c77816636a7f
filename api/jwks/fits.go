package jwks

import (
	"crypto"
	"crypto/rsa"

	"github.com/keywright/keywright/api/jws"
)

// What an RSA key may be: below, it can be factored; above, a verification costs too much. A small exponent has been the
// opening of several forgeries.
const (
	MinRSABits     = 2048
	MaxRSABits     = 8192
	MinRSAExponent = 1<<16 + 1
)

// Fits reports whether a key verifies signatures of an algorithm: a public one of its type, on its curve (RFC 7518 sections 3.3 and
// 3.4, RFC 8037 section 3.1), and Strong if it is an RSA key.
func Fits(alg string, key crypto.PublicKey) bool {
	algorithm, ok := jws.Find(alg)
	return ok && FitsAlgorithm(algorithm, key)
}

// FitsAlgorithm is Fits for an algorithm that was found before.
func FitsAlgorithm(algorithm jws.Algorithm, key crypto.PublicKey) bool {
	public, isRSA := key.(*rsa.PublicKey)
	return algorithm.Fits(key) && (!isRSA || Strong(public))
}

// Weak reports whether a key is an RSA key that must not verify: one that is not Strong, or whose factors can be computed (ROCA).
func Weak(key crypto.PublicKey) bool {
	public, isRSA := key.(*rsa.PublicKey)
	return isRSA && (!Strong(public) || factorable(public))
}

// Strong reports whether an RSA key is within the bounds.
func Strong(key *rsa.PublicKey) bool {
	bits := key.N.BitLen()
	return bits >= MinRSABits && bits <= MaxRSABits && key.N.Bit(0) == 1 && key.E >= MinRSAExponent && key.E&1 == 1
}
