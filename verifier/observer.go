package verifier

import (
	"encoding/hex"
	"errors"
)

// Observer hears what a Verifier does, for metrics: with it this module needs no library of metrics. Its methods are
// called while tokens are verified, by many goroutines at once, so they must be quick.
type Observer interface {
	// TokenVerified is called for each token. reason is one of a few words: ok, malformed, wrong_algorithm, unknown_key,
	// bad_signature, wrong_type, wrong_issuer, wrong_audience, expired, not_yet_valid, or other if the context ended.
	TokenVerified(reason string)
	// KeySetRead is called after each read of the file, whether its content changed or not. digest is that of the set in
	// use: the first 64 bits of the SHA-256 of its file in hexadecimal, as the controller's metric keywright_keyset_info
	// has it. failed tells that this is an older one, since the file cannot be read now.
	KeySetRead(digest string, keys int, failed bool)
}

// nobody observes nothing.
type nobody struct{}

func (nobody) TokenVerified(string)         {}
func (nobody) KeySetRead(string, int, bool) {}

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
	} {
		if errors.Is(err, known.err) {
			return known.name
		}
	}
	return "other"
}

// observeRead tells the observer which set is in use after a read of the file.
func (f *keyFile) observeRead() {
	f.observer.KeySetRead(hex.EncodeToString(f.digest[:8]), len(f.current.Load().keys), f.failure != "")
}
