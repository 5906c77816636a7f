package verifier

import (
	"context"
	"crypto"

	"github.com/keywright/keywright/verifier/internal/jws"
)

// Accelerator makes checks of signatures that take less time than those of the standard library, at the cost of memory for
// each key. The module verifier/fast has one.
type Accelerator interface {
	// Prepare works out what it can for a public key, an *ecdsa.PublicKey, ed25519.PublicKey or *rsa.PublicKey that was
	// checked, and returns the check of its signatures; nil leaves the key to the standard library. algorithm is the alg of
	// the key, such as ES256 (RFC 7518 section 3.1).
	Prepare(algorithm string, public crypto.PublicKey) Check
}

// Check reports whether signature is one of a key over input. It must accept exactly what the standard library does, and may be
// called by any number of goroutines. input is the JWS Signing Input (RFC 7515 section 2). signature is that of ES256, r and s of 32
// bytes each (RFC 7518 section 3.4), or of Ed25519 (RFC 8032 section 5.1.6).
type Check func(input string, signature [64]byte) bool

// maxPrepared is how many keys of a Verifier have a Check at most.
const maxPrepared = 32

// prepare has the Accelerator prepare the keys of all sources, and again when one of them has brought new ones, until ctx ends.
// Until the check of a key is there, the standard library checks its signatures.
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

// prepareKeys prepares keys by the order of their issuers and of their kids, until as many as may be have a Check.
func (v *Verifier) prepareKeys(ctx context.Context, with Accelerator) {
	var waiting []*key
	prepared := 0
	for i := range v.bindings {
		current := v.bindings[i].feed.current.Load()
		for _, id := range current.keyIDs {
			if k := current.set.keys[id]; k.check.Load() == nil {
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
			k.check.Store(&check)
			ready = append(ready, k.id)
			prepared++
		}
	}
	if len(ready) > 0 {
		v.logger.Info("keys prepared", "keyIDs", ready)
	}
}

// keep puts the keys of an earlier set in the place of equal ones, which then need not be prepared anew.
func (s *KeySet) keep(earlier *KeySet) {
	for id, k := range s.keys {
		if before := earlier.keys[id]; before != nil && before.same(k) {
			s.keys[id] = before
		}
	}
}

// same reports whether both have the same algorithm and the same numbers.
func (k *key) same(other *key) bool {
	public, ok := k.public.(interface{ Equal(x crypto.PublicKey) bool })
	return ok && k.algorithm == other.algorithm && public.Equal(other.public)
}

// genuine reports whether signature is one of the key over input, whose bytes copied has: by the check that was prepared if there
// is one, else by the standard library.
func (k *key) genuine(input string, copied, signature []byte) bool {
	check := k.check.Load()
	if check == nil {
		return jws.Signed(k.algorithm, k.public, copied, signature)
	}
	if len(signature) != 64 {
		return false
	}
	return (*check)(input, [64]byte(signature))
}
