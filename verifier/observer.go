package verifier

import (
	"errors"

	"github.com/keywright/keywright/verifier/dpop"
)

// Observer hears what a Verifier does, for metrics: with it this module needs no library of metrics. Its methods are
// called while tokens are verified, by many goroutines at once, so they must be quick.
type Observer interface {
	// TokenVerified is called for each token. reason is one of a few words: ok, malformed, wrong_algorithm, unknown_key,
	// bad_signature, not_decrypted, wrong_type, wrong_issuer, wrong_audience, expired, not_yet_valid, revoked, replayed if its
	// proof was seen before, proof for any other ErrProof, stale_key_set, keys_unavailable, or other if the context ended.
	TokenVerified(reason string)
	// KeySetRead is called after each read of a source, whether its content changed or not, once for each issuer that has
	// it. A look at a file that has not changed is no read.
	KeySetRead(status KeySetStatus)
}

// ReplayObserver is an Observer that also hears when DPoP proofs cannot be remembered.
type ReplayObserver interface {
	Observer
	// ReplaysFull is called for each proof that was accepted without being remembered, since there is room for 229,376 of a minute
	// before and after now: it could be replayed here.
	ReplaysFull()
}

// nobody observes nothing.
type nobody struct{}

func (nobody) TokenVerified(string)    {}
func (nobody) KeySetRead(KeySetStatus) {}

// reasonOf names the result of a verification for an Observer.
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
