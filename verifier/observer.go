package verifier

import (
	"errors"

	"github.com/keywright/keywright/verifier/dpop"
)

// Observer is notified of the results of a Verifier, for metrics. Its methods are called concurrently while tokens
// are verified, so they must be fast.
type Observer interface {
	// TokenVerified is called for each token. reason is one of: ok, malformed, wrong_algorithm, unknown_key,
	// bad_signature, not_decrypted, wrong_type, wrong_issuer, wrong_audience, expired, not_yet_valid, revoked,
	// replayed if the proof was seen before, proof for any other ErrProof, stale_key_set, keys_unavailable, or other
	// if the context ended.
	TokenVerified(reason string)
	// KeySetRead is called after each read of a source, once per issuer, whether or not the content changed. It is
	// not called if the poll of a file finds it unchanged.
	KeySetRead(status KeySetStatus)
}

// ReplayObserver is an Observer that is also notified when a DPoP proof cannot be stored.
type ReplayObserver interface {
	Observer
	// ReplaysFull is called for each proof that was accepted without being stored, because the replay cache is full:
	// it holds 229,376 proofs within two minutes. Such a proof could be replayed.
	ReplaysFull()
}

// noopObserver is the Observer of a Config without one.
type noopObserver struct{}

func (noopObserver) TokenVerified(string)    {}
func (noopObserver) KeySetRead(KeySetStatus) {}

// reasonOf returns the reason for TokenVerified.
func reasonOf(err error) string {
	if err == nil {
		return "ok"
	}
	for _, known := range []struct {
		err  error
		name string
	}{
		{ErrExpired, "expired"},
		{ErrUnknownKey, "unknown_key"},
		{ErrMalformed, "malformed"},
		{ErrBadSignature, "bad_signature"},
		{ErrWrongAlgorithm, "wrong_algorithm"},
		{ErrWrongType, "wrong_type"},
		{ErrWrongIssuer, "wrong_issuer"},
		{ErrWrongAudience, "wrong_audience"},
		{ErrNotYetValid, "not_yet_valid"},
		{ErrRevoked, "revoked"},
		{dpop.ErrReplayed, "replayed"},
		{ErrProof, "proof"},
		{ErrNotDecrypted, "not_decrypted"},
		{ErrStaleKeySet, "stale_key_set"},
		{ErrKeysUnavailable, "keys_unavailable"},
	} {
		if errors.Is(err, known.err) {
			return known.name
		}
	}
	return "other"
}
