package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // registers the hashes of the table
	_ "crypto/sha512"
)

// The key types (RFC 7518 section 6.1, RFC 8037 section 2).
const (
	EC  = "EC"
	RSA = "RSA"
	OKP = "OKP"
)

// Algorithm is a JWS algorithm (RFC 7518 sections 3.3 and 3.4, RFC 8037 section 3.1).
type Algorithm struct {
	// Name is the alg.
	Name string
	// KeyType is the kty of its keys.
	KeyType string
	// Curve is that of EC keys, nil for other types. The one of OKP keys is Ed25519.
	Curve elliptic.Curve
	// Hash is the hash function, 0 for EdDSA.
	Hash crypto.Hash
}

// Algorithms returns all supported algorithms. PS* is not supported, because JOSE libraries accept any salt length.
func Algorithms() []Algorithm {
	all := table()
	return all[:]
}

// table returns an array, so that a lookup per token allocates nothing.
func table() [7]Algorithm {
	return [...]Algorithm{
		{Name: "ES256", KeyType: EC, Curve: elliptic.P256(), Hash: crypto.SHA256},
		{Name: "ES384", KeyType: EC, Curve: elliptic.P384(), Hash: crypto.SHA384},
		{Name: "ES512", KeyType: EC, Curve: elliptic.P521(), Hash: crypto.SHA512},
		{Name: "RS256", KeyType: RSA, Hash: crypto.SHA256},
		{Name: "RS384", KeyType: RSA, Hash: crypto.SHA384},
		{Name: "RS512", KeyType: RSA, Hash: crypto.SHA512},
		{Name: "EdDSA", KeyType: OKP},
	}
}

// Names returns the alg of all algorithms.
func Names() []string {
	var names []string
	for _, a := range Algorithms() {
		names = append(names, a.Name)
	}
	return names
}

// Find returns the algorithm for an alg, and whether it is supported.
func Find(name string) (Algorithm, bool) {
	for _, a := range table() {
		if a.Name == name {
			return a, true
		}
	}
	return Algorithm{}, false
}

// Fits reports whether a public key has the type and curve of the algorithm. It does not check the size of RSA keys.
func (a Algorithm) Fits(public crypto.PublicKey) bool {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return a.KeyType == EC && key.Curve == a.Curve
	case *rsa.PublicKey:
		return a.KeyType == RSA
	case ed25519.PublicKey:
		return a.KeyType == OKP && len(key) == ed25519.PublicKeySize
	}
	return false
}
