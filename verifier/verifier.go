package verifier

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Verifier verifies tokens with the key sets of its issuers. Its methods are safe for concurrent use.
type Verifier struct {
	issuerVerifiers []issuerVerifier // one per source, sorted by first issuer
	private         *DecryptionKeys
	maxBytes        int
	now             func() time.Time
	logger          *slog.Logger
	observer        Observer

	senderVerifier *senderVerifier
	challenges     *challenges

	done    <-chan struct{} // closed by cancel
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// New reads the key sets and starts to poll their sources, until Close. It returns an error if the Config is invalid,
// or if a source is missing or has no valid key set: a service without keys would reject every token, and its rollout
// should stop. It waits up to 5 seconds for an HTTPS source.
func New(config Config) (*Verifier, error) {
	config, err := config.complete()
	if err != nil {
		return nil, fmt.Errorf("verifier: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // its end is Close, whoever calls that
	v := &Verifier{
		private:        config.DecryptionKeys,
		maxBytes:       config.MaxTokenBytes,
		now:            config.Now,
		logger:         config.Logger,
		observer:       config.Observer,
		senderVerifier: newSenderVerifier(config),
		done:           ctx.Done(),
		cancel:         cancel,
	}
	v.challenges = newChallenges(config)
	var loaded chan struct{}
	if config.Accelerator != nil {
		loaded = make(chan struct{}, 1)
	}
	for _, issuers := range config.bySource() {
		keys, err := openPoller(ctx, issuers, config.Issuers[issuers[0]], config)
		if err != nil {
			v.Close()
			return nil, fmt.Errorf("verifier: %w", err)
		}
		keys.loaded = loaded
		v.running.Go(func() { keys.run(ctx) })
		v.issuerVerifiers = append(v.issuerVerifiers, newIssuerVerifier(issuers, keys, config, v.challenges))
	}
	if config.Accelerator != nil {
		v.running.Go(func() { v.prepare(ctx, config.Accelerator, loaded) })
	}
	return v, nil
}

// verify verifies a token, except its binding to a sender.
func (v *Verifier) verify(ctx context.Context, token string, now time.Time) (*Token, error) {
	if len(token) > v.maxBytes {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, v.maxBytes)
	}
	var buffer [2 << 10]byte // avoids a heap allocation for most tokens
	digest := sha256.Sum256(append(buffer[:0], token...))
	for i := range v.issuerVerifiers {
		if known, err := v.issuerVerifiers[i].cachedToken(&digest, now); known != nil || err != nil {
			return known, err
		}
	}
	inner, err := v.private.open(token)
	if err != nil {
		return nil, err
	}
	return v.verifyWithKeys(ctx, inner, &digest, now)
}

// verifyWithKeys verifies a token with each issuerVerifier. Those that do not know its kid then poll their source and
// try again, because the key may be new. It skips the polls if no other key could make the token valid.
func (v *Verifier) verifyWithKeys(ctx context.Context, token string, digest *[sha256.Size]byte, now time.Time) (*Token, error) {
	var refusal error
	unknown := make([]*snapshot, len(v.issuerVerifiers))
	for i := range v.issuerVerifiers {
		keys := v.issuerVerifiers[i].poller.current.Load()
		accepted, err := v.issuerVerifiers[i].verify(keys, token, digest, now)
		if err == nil {
			return accepted, nil
		}
		if errors.Is(err, ErrUnknownKey) {
			unknown[i] = keys
		}
		refusal = moreSpecific(refusal, err)
	}
	if specificity(refusal) == final {
		return nil, refusal
	}
	for i := range v.issuerVerifiers {
		if unknown[i] == nil {
			continue
		}
		accepted, err := v.issuerVerifiers[i].verifyRefreshed(ctx, unknown[i], token, digest, now)
		if err == nil {
			return accepted, nil
		}
		refusal = moreSpecific(refusal, err)
	}
	return nil, refusal
}

// The specificity of an error of one issuerVerifier.
const (
	unknownKey = iota // the key set has no key with this kid
	partial           // the key is of another issuer, or did not sign the token
	final             // no other key would make the token valid, or the result is not known now
)

func specificity(refusal error) int {
	switch {
	case errors.Is(refusal, ErrUnknownKey):
		return unknownKey
	case errors.Is(refusal, ErrBadSignature), errors.Is(refusal, ErrWrongAlgorithm), errors.Is(refusal, ErrWrongIssuer):
		return partial
	}
	return final
}

// moreSpecific returns the error with the higher specificity, or the first one if they are equal.
func moreSpecific(first, second error) error {
	if first == nil || specificity(second) > specificity(first) {
		return second
	}
	return first
}

// Close stops polling the sources, and waits for all goroutines. Close a server before its Verifier: after Close,
// Verify returns ErrClosed.
func (v *Verifier) Close() {
	if v.cancel == nil {
		return
	}
	v.cancel()
	v.running.Wait()
}

// closed also returns true for a Verifier that New did not create.
func (v *Verifier) closed() bool {
	if v.cancel == nil {
		return true
	}
	select {
	case <-v.done:
		return true
	default:
		return false
	}
}
