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

// Accelerator precomputes tables for the public keys of ES256 (RFC 7518 section 3.4) and of EdDSA with Ed25519 (RFC
// 8037 section 3.1). Verifiers may share it, but each has its own tables.
type Accelerator struct {
	// base returns the table of the base point of edwards25519, computed on first use.
	base func() *edwardsTable
}

// New returns an Accelerator for verifier.Config.
func New() *Accelerator { return &Accelerator{base: sync.OnceValue(newBaseTable)} }

// Prepare computes the table of a key, which takes one or two milliseconds of CPU time. It returns nil, so that the
// standard library is used, for any other algorithm, for an invalid key, and in FIPS 140-3 mode, because this module
// is not validated.
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
