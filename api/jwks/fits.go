package jwks

import (
	"crypto"
	"crypto/rsa"

	"github.com/keywright/keywright/api/jws"
)

// The limits of an RSA key: a smaller one can be factored, and a larger one makes verification too expensive. Small
// exponents have led to several forgeries.
const (
	MinRSABits     = 2048
	MaxRSABits     = 8192
	MinRSAExponent = 1<<16 + 1
)

// Fits reports whether a key can verify signatures of an algorithm: a public key of its type and curve (RFC 7518
// sections 3.3 and 3.4, RFC 8037 section 3.1), and Strong if it is an RSA key.
func Fits(alg string, key crypto.PublicKey) bool {
	algorithm, ok := jws.Find(alg)
	return ok && FitsAlgorithm(algorithm, key)
}

// FitsAlgorithm is like Fits, for a known Algorithm.
func FitsAlgorithm(algorithm jws.Algorithm, key crypto.PublicKey) bool {
	public, isRSA := key.(*rsa.PublicKey)
	return algorithm.Fits(key) && (!isRSA || Strong(public))
}

// Weak reports whether a key is an RSA key that is not Strong, or that can be factored (ROCA).
func Weak(key crypto.PublicKey) bool {
	public, isRSA := key.(*rsa.PublicKey)
	return isRSA && (!Strong(public) || factorable(public))
}

// Strong reports whether an RSA key is within the limits.
func Strong(key *rsa.PublicKey) bool {
	bits := key.N.BitLen()
	return bits >= MinRSABits && bits <= MaxRSABits && key.N.Bit(0) == 1 && key.E >= MinRSAExponent && key.E&1 == 1
}
