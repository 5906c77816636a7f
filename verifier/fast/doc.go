// Package fast checks the signatures of ES256 and EdDSA in about half the time of the standard library. It works out a table
// of multiples for each public key, once, and adds up entries of it for each token:
//
//	v, err := verifier.New(verifier.Config{
//		Issuers:     map[string]verifier.Source{"https://issuer.example.com": verifier.File("/var/run/keywright/jwks/main.json")},
//		Audience:    "https://orders.example.com",
//		Accelerator: fast.New(),
//	})
//
// It accepts exactly the signatures that crypto/ecdsa.Verify and crypto/ed25519.Verify accept. The arithmetic is that of
// filippo.io/nistec and filippo.io/edwards25519, which are the standard library's own packages with an exported API. A
// table takes at most 228 KB.
//
// The time that a check takes depends on the signature and the public key. Neither is a secret, and nothing here has a
// private key.
package fast
