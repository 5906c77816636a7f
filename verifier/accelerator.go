package verifier

import (
	"context"
	"crypto"

	"github.com/keywright/keywright/verifier/internal/jws"
)

// Accelerator speeds up the verification of signatures, at the cost of memory per key. The module verifier/fast
// implements it.
type Accelerator interface {
	// Prepare precomputes tables for a validated public key (*ecdsa.PublicKey, ed25519.PublicKey or *rsa.PublicKey)
	// and returns a Check for it. If it returns nil, the standard library verifies the key's signatures. algorithm is
	// the alg of the key, such as ES256 (RFC 7518 section 3.1).
	Prepare(algorithm string, public crypto.PublicKey) Check
}

// Check reports whether signature is valid for a key and input. It must accept exactly the signatures that the
// standard library accepts, and be safe for concurrent use. input is the JWS Signing Input (RFC 7515 section 2).
// signature is that of ES256, r and s of 32 bytes each (RFC 7518 section 3.4), or of Ed25519 (RFC 8032 section
// 5.1.6).
type Check func(input string, signature [64]byte) bool

// maxPrepared is the maximum number of keys per Verifier that have a Check.
const maxPrepared = 32

// prepare prepares the keys of all sources, and again after each signal on loaded, until ctx is done. The standard
// library verifies the signatures of a key that is not prepared yet.
func (v *Verifier) prepare(ctx context.Context, with Accelerator, loaded <-chan struct{}) {
	for {
		v.prepareKeys(ctx, with)
		select {
		case <-ctx.Done():
			return
		case <-loaded:
		}
	}
}

// prepareKeys prepares keys in the order of issuers and key IDs, up to maxPrepared.
func (v *Verifier) prepareKeys(ctx context.Context, with Accelerator) {
	var waiting []*key
	prepared := 0
	for i := range v.issuerVerifiers {
		current := v.issuerVerifiers[i].poller.current.Load()
		for _, id := range current.keyIDs {
			if k := current.validKeys.keys[id]; k.preparedCheck.Load() == nil {
				waiting = append(waiting, k)
			} else {
				prepared++
			}
		}
	}
	var ready []string
	for _, k := range waiting {
		if prepared == maxPrepared || ctx.Err() != nil {
			break
		}
		if check := with.Prepare(string(k.algorithm), k.public); check != nil {
			k.preparedCheck.Store(&check)
			ready = append(ready, k.id)
			prepared++
		}
	}
	if len(ready) > 0 {
		v.logger.Info("keys prepared", "keyIDs", ready)
	}
}

// reusePrepared replaces keys by equal keys of an earlier set, which may already be prepared.
func (s *KeySet) reusePrepared(earlier *KeySet) {
	for id, k := range s.keys {
		if before := earlier.keys[id]; before != nil && before.equal(k) {
			s.keys[id] = before
		}
	}
}

// equal reports whether both keys have the same algorithm and the same public key.
func (k *key) equal(other *key) bool {
	public, ok := k.public.(interface{ Equal(x crypto.PublicKey) bool })
	return ok && k.algorithm == other.algorithm && public.Equal(other.public)
}

// verifySignature reports whether signature is valid for input. It uses the prepared Check if there is one, and the
// standard library otherwise. copied holds the bytes of input.
func (k *key) verifySignature(input string, copied, signature []byte) bool {
	check := k.preparedCheck.Load()
	if check == nil {
		return jws.VerifySignature(k.algorithm, k.public, copied, signature)
	}
	if len(signature) != 64 {
		return false
	}
	return (*check)(input, [64]byte(signature))
}
