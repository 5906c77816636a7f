package fast

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/fips140"
	"sync"

	"github.com/keywright/keywright/verifier"
)

// Accelerator makes tables for the public keys of ES256 (RFC 7518 section 3.4) and EdDSA with Ed25519 (RFC 8037 section
// 3.1). It may be shared by Verifiers, each of which has tables of its own.
type Accelerator struct {
	// base is the table of the base point of edwards25519, made with the first key that needs it.
	base func() *edwardsTable
}

// New returns an Accelerator for verifier.Config.
func New() *Accelerator { return &Accelerator{base: sync.OnceValue(newBaseTable)} }

// Prepare makes the table of a key, in a millisecond or two of CPU time. It returns nil, which leaves the key to the
// standard library, for every other algorithm, for a key that the standard library accepts no signature of, and in FIPS
// 140-3 mode: this module is no validated cryptographic module.
func (a *Accelerator) Prepare(algorithm string, public crypto.PublicKey) verifier.Check {
	if fips140.Enabled() {
		return nil
	}
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		if algorithm != "ES256" || public.Curve != elliptic.P256() {
			return nil
		}
		if key := newP256Key(public); key != nil {
			return key.check
		}
	case ed25519.PublicKey:
		if algorithm != "EdDSA" {
			return nil
		}
		if key := newEdwardsKey(public, a.base); key != nil {
			return key.check
		}
	}
	return nil
}
