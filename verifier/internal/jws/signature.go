package jws

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"

	jose "github.com/go-jose/go-jose/v4"
)

// Signed reports whether signature is one of a public key, as PublicKey makes it, over input under an algorithm that fits it (RFC 7518
// sections 3.3 and 3.4, RFC 8037 section 3.1).
func Signed(algorithm jose.SignatureAlgorithm, key crypto.PublicKey, input, signature []byte) bool {
	switch public := key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(public, input, signature)
	case *ecdsa.PublicKey:
		size := (public.Params().BitSize + 7) / 8
		if len(signature) != 2*size {
			return false
		}
		hash, digest := digestOf(algorithm, input)
		var buffer [150]byte
		return ecdsa.VerifyASN1(public, digest[:hash.Size()], appendSignature(buffer[:0], signature))
	case *rsa.PublicKey:
		hash, digest := digestOf(algorithm, input)
		return rsa.VerifyPKCS1v15(public, hash, digest[:hash.Size()], signature) == nil
	default:
		return false
	}
}

// digestOf hashes input as the algorithm says, into as many bytes as the hash has.
func digestOf(algorithm jose.SignatureAlgorithm, input []byte) (hash crypto.Hash, digest [sha512.Size]byte) {
	switch algorithm {
	case jose.ES384, jose.RS384:
		sum := sha512.Sum384(input)
		copy(digest[:], sum[:])
		return crypto.SHA384, digest
	case jose.ES512, jose.RS512:
		return crypto.SHA512, sha512.Sum512(input)
	default:
		sum := sha256.Sum256(input)
		copy(digest[:], sum[:])
		return crypto.SHA256, digest
	}
}

// appendSignature appends the ASN.1 form of an ECDSA signature (SEC 1 section C.5), which crypto/ecdsa takes without a
// detour over big numbers. JWS has r and s side by side at full length.
func appendSignature(into, signature []byte) []byte {
	half := len(signature) / 2
	var buffer [144]byte
	numbers := appendInteger(appendInteger(buffer[:0], signature[:half]), signature[half:])
	into = append(into, 0x30) // SEQUENCE
	if len(numbers) > 127 {
		into = append(into, 0x81)
	}
	return append(append(into, byte(len(numbers)&0xff)), numbers...)
}

// appendInteger appends an unsigned number as an ASN.1 INTEGER: as short as can be, and with a zero before it if it
// would else be negative.
func appendInteger(into, number []byte) []byte {
	number = bytes.TrimLeft(number, "\x00")
	if len(number) == 0 || number[0] > 127 {
		return append(append(into, 2, byte((len(number)+1)&0xff), 0), number...)
	}
	return append(append(into, 2, byte(len(number)&0xff)), number...)
}
