// Package fast verifies the signatures of ES256 and EdDSA in about half the time of the standard library. It computes
// a table of multiples once per public key, and adds entries of it per token:
//
//	v, err := verifier.New(verifier.Config{
//		Issuers:     map[string]verifier.Source{"https://issuer.example.com": verifier.File("/var/run/keywright/jwks/main.json")},
//		Audience:    "https://orders.example.com",
//		Accelerator: fast.New(),
//	})
//
// It accepts exactly the signatures that crypto/ecdsa.Verify and crypto/ed25519.Verify accept. The arithmetic is that
// of filippo.io/nistec and filippo.io/edwards25519, which export packages of the standard library. A table takes at
// most 228 KB.
//
// The time of a verification depends on the signature and the public key, which are not secret. The package handles
// no private keys.
package fast
