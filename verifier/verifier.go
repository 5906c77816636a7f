package verifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Verifier checks tokens against the key set of one issuer. Its methods may be called by any number of goroutines.
type Verifier struct {
	policy policy
	keys   *keyFile
	now    func() time.Time
	logger *slog.Logger
	// observer hears of each token.
	observer Observer

	closing sync.Once
	stop    chan struct{}
	stopped chan struct{}
}

// New reads the key set and begins to follow its file; Close ends that. It fails if the Config lacks something or has
// something out of bounds, or if the file is not there or holds no key set: a service that starts without keys would
// refuse every token, and its deployment should stop instead.
func New(config Config) (*Verifier, error) {
	config, err := config.complete()
	if err != nil {
		return nil, fmt.Errorf("verifier: %w", err)
	}
	keys, err := openKeyFile(config.KeySetFile, config.Now, config.Logger, config.Observer)
	if err != nil {
		return nil, fmt.Errorf("verifier: %w", err)
	}
	v := &Verifier{
		policy: policy{
			issuer:    config.Issuer,
			audience:  config.Audience,
			mediaType: config.Type,
			skew:      config.ClockSkew,
			maxBytes:  config.MaxTokenBytes,
		},
		keys:     keys,
		now:      config.Now,
		logger:   config.Logger,
		observer: config.Observer,
		stop:     make(chan struct{}),
		stopped:  make(chan struct{}),
	}
	go func() {
		defer close(v.stopped)
		keys.follow(config.PollInterval, v.stop)
	}()
	return v, nil
}

// Verify returns the token if it is valid now. Otherwise the error is one of those in this package, for errors.Is, or
// that of ctx, which bounds the wait for a read of the file when the token's kid is unknown.
func (v *Verifier) Verify(ctx context.Context, token string) (*Token, error) {
	if v.closed() {
		return nil, ErrClosed
	}
	verified, err := v.verify(ctx, token)
	v.observer.TokenVerified(reasonOf(err))
	return verified, err
}

func (v *Verifier) verify(ctx context.Context, token string) (*Token, error) {
	if len(token) > v.policy.maxBytes {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, v.policy.maxBytes)
	}
	verified, err := v.verifySignature(ctx, token)
	if err != nil {
		return nil, err
	}
	return v.policy.accept(verified, v.now())
}

// verifySignature looks once more at the file if the kid is unknown: the key may have been published since.
func (v *Verifier) verifySignature(ctx context.Context, token string) (*signed, error) {
	set := v.keys.current.Load()
	verified, err := set.verify(token)
	if !errors.Is(err, ErrUnknownKey) {
		return verified, err
	}
	newer, waitErr := v.keys.reread(ctx, set)
	if waitErr != nil {
		return nil, fmt.Errorf("waiting for the key set: %w", waitErr)
	}
	if newer == set {
		return nil, err
	}
	return newer.verify(token)
}

// KeyIDs returns the kids of the keys in use now, sorted.
func (v *Verifier) KeyIDs() []string {
	if v.keys == nil {
		return nil
	}
	return v.keys.current.Load().KeyIDs()
}

// Close stops following the file, and returns when no goroutine is left. Close a server before its Verifier: from here
// on Verify returns ErrClosed, since it would no longer learn of a revocation.
func (v *Verifier) Close() {
	if v.keys == nil {
		return
	}
	v.closing.Do(func() { close(v.stop) })
	<-v.stopped
}

// closed also holds for a Verifier that New did not make.
func (v *Verifier) closed() bool {
	if v.keys == nil {
		return true
	}
	select {
	case <-v.stop:
		return true
	default:
		return false
	}
}
