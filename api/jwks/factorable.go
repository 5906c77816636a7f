package jwks

import (
	"crypto/rsa"
	"math/big"
)

// factorable reports whether an RSA key has the form of the keys of Infineon's library, which can be factored
// (CVE-2017-15361, "ROCA"): modulo each of many small primes it is a power of 65537. The probability of a false
// positive is one in a billion.
func factorable(key *rsa.PublicKey) bool {
	rest := new(big.Int)
	for _, prime := range [...]int64{
		3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139,
		149, 151, 157, 163, 167,
	} {
		if !isPowerOf65537(rest.Mod(key.N, big.NewInt(prime)).Int64(), prime) {
			return false
		}
	}
	return true
}

// isPowerOf65537 reports whether a number is a power of 65537 modulo a prime.
func isPowerOf65537(number, prime int64) bool {
	for power := int64(1); ; {
		if power == number {
			return true
		}
		if power = power * (65537 % prime) % prime; power == 1 {
			return false
		}
	}
}
