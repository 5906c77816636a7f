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

// VerifySignature reports whether signature is valid for a public key of PublicKey, an input and a matching algorithm
// (RFC 7518 sections 3.3 and 3.4, RFC 8037 section 3.1).
func VerifySignature(algorithm jose.SignatureAlgorithm, key crypto.PublicKey, input, signature []byte) bool {
	switch public := key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(public, input, signature)
	case *ecdsa.PublicKey:
		size := (public.Params().BitSize + 7) / 8
		if len(signature) != 2*size {
			return false
		}
		hash, digest := hashInput(algorithm, input)
		var buffer [150]byte
		return ecdsa.VerifyASN1(public, digest[:hash.Size()], appendSignature(buffer[:0], signature))
	case *rsa.PublicKey:
		hash, digest := hashInput(algorithm, input)
		return rsa.VerifyPKCS1v15(public, hash, digest[:hash.Size()], signature) == nil
	default:
		return false
	}
}

// hashInput returns the digest of the input with the hash of the algorithm.
func hashInput(algorithm jose.SignatureAlgorithm, input []byte) (hash crypto.Hash, digest [sha512.Size]byte) {
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

// appendSignature appends the ASN.1 form of an ECDSA signature (SEC 1 section C.5), which crypto/ecdsa accepts
// without math/big. The JWS form is r followed by s, both at full length.
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

// appendInteger appends an unsigned number as a minimal ASN.1 INTEGER, with a leading zero if it would be negative
// otherwise.
func appendInteger(into, number []byte) []byte {
	number = bytes.TrimLeft(number, "\x00")
	if len(number) == 0 || number[0] > 127 {
		return append(append(into, 2, byte((len(number)+1)&0xff), 0), number...)
	}
	return append(append(into, 2, byte(len(number)&0xff)), number...)
}
