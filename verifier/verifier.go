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

// Verifier checks tokens against the key sets of its issuers. Its methods may be called by any number of goroutines.
type Verifier struct {
	bindings []binding // by source, sorted by the first issuer of each
	private  *DecryptionKeys
	maxBytes int
	now      func() time.Time
	logger   *slog.Logger
	observer Observer

	sender     *sender
	challenges *challenges

	done    <-chan struct{} // closed by cancel
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// New reads the key sets and begins to follow them; Close ends that. It fails if the Config lacks something or has
// something out of bounds, or if a source is not there or holds no key set: a service that starts without keys would
// refuse every token, and its deployment should stop instead. An HTTPS source is waited for up to 5 seconds.
func New(config Config) (*Verifier, error) {
	config, err := config.complete()
	if err != nil {
		return nil, fmt.Errorf("verifier: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // its end is Close, whoever calls that
	v := &Verifier{
		private:  config.DecryptionKeys,
		maxBytes: config.MaxTokenBytes,
		now:      config.Now,
		logger:   config.Logger,
		observer: config.Observer,
		sender:   newSender(config),
		done:     ctx.Done(),
		cancel:   cancel,
	}
	v.challenges = newChallenges(config)
	var loaded chan struct{}
	if config.Accelerator != nil {
		loaded = make(chan struct{}, 1)
	}
	for _, issuers := range config.bySource() {
		keys, err := openFeed(ctx, issuers, config.Issuers[issuers[0]], config)
		if err != nil {
			v.Close()
			return nil, fmt.Errorf("verifier: %w", err)
		}
		keys.loaded = loaded
		v.running.Go(func() { keys.follow(ctx) })
		v.bindings = append(v.bindings, newBinding(issuers, keys, config, v.challenges))
	}
	if config.Accelerator != nil {
		v.running.Go(func() { v.prepare(ctx, config.Accelerator, loaded) })
	}
	return v, nil
}

// verify checks a token, whoever sent it.
func (v *Verifier) verify(ctx context.Context, token string, now time.Time) (*Token, error) {
	if len(token) > v.maxBytes {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, v.maxBytes)
	}
	var buffer [2 << 10]byte // spares most tokens a copy on the heap
	digest := sha256.Sum256(append(buffer[:0], token...))
	for i := range v.bindings {
		if known, err := v.bindings[i].recall(&digest, now); known != nil || err != nil {
			return known, err
		}
	}
	inner, err := v.private.open(token)
	if err != nil {
		return nil, err
	}
	return v.judge(ctx, inner, &digest, now)
}

// judge asks each binding whether it accepts the token, and those that do not know its key once more after a look at
// their source, since the key may have been published a moment ago. That another binding knows a key of this kid says
// nothing about them, unless the token is refused for what no other key could mend.
func (v *Verifier) judge(ctx context.Context, token string, digest *[sha256.Size]byte, now time.Time) (*Token, error) {
	var refusal error
	unknown := make([]*generation, len(v.bindings))
	for i := range v.bindings {
		keys := v.bindings[i].feed.current.Load()
		accepted, err := v.bindings[i].verify(keys, token, digest, now)
		if err == nil {
			return accepted, nil
		}
		if errors.Is(err, ErrUnknownKey) {
			unknown[i] = keys
		}
		refusal = clearer(refusal, err)
	}
	if clarity(refusal) == final {
		return nil, refusal
	}
	for i := range v.bindings {
		if unknown[i] == nil {
			continue
		}
		accepted, err := v.bindings[i].retry(ctx, unknown[i], token, digest, now)
		if err == nil {
			return accepted, nil
		}
		refusal = clearer(refusal, err)
	}
	return nil, refusal
}

// How much a refusal of one binding says about the token.
const (
	unclear = iota // the binding has no key of its kid
	partial        // it has one, which does not sign for the token's issuer or did not sign the token
	final          // no key of another binding would make it valid, or it cannot be judged now
)

func clarity(refusal error) int {
	switch {
	case errors.Is(refusal, ErrUnknownKey):
		return unclear
	case errors.Is(refusal, ErrBadSignature), errors.Is(refusal, ErrWrongAlgorithm), errors.Is(refusal, ErrWrongIssuer):
		return partial
	}
	return final
}

// clearer returns the refusal that says more about the token, the first one of two that say as much.
func clearer(first, second error) error {
	if first == nil || clarity(second) > clarity(first) {
		return second
	}
	return first
}

// Close stops following the sources, and returns when no goroutine is left. Close a server before its Verifier: from
// here on Verify returns ErrClosed, since it would no longer learn of a revocation.
func (v *Verifier) Close() {
	if v.cancel == nil {
		return
	}
	v.cancel()
	v.running.Wait()
}

// closed also holds for a Verifier that New did not make.
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
