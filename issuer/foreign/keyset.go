package foreign

import (
	"context"
	"errors"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"golang.org/x/time/rate"

	"github.com/keywright/keywright/issuer/config"
)

const (
	// refreshEvery is how soon a key that was taken away is no longer accepted.
	refreshEvery = 5 * time.Minute
	// askAgainAfter bounds how often unknown keys make us ask.
	askAgainAfter = 10 * time.Second
)

// KeySet is the public keys of another issuer: the last that could be read.
type KeySet struct {
	issuer string
	source config.KeySource
	report func(error)
	asking *rate.Limiter

	mu   sync.Mutex
	good *jose.JSONWebKeySet
}

// NewKeySet returns a KeySet that has read nothing yet. report is told of every time it is read, nil or the error.
func NewKeySet(issuer string, source config.KeySource, report func(error)) *KeySet {
	return &KeySet{issuer: issuer, source: source, report: report, asking: rate.NewLimiter(rate.Every(askAgainAfter), 2)}
}

// Follow reads the keys again and again until the context ends.
func (k *KeySet) Follow(ctx context.Context) {
	ticker := time.NewTicker(refreshEvery)
	defer ticker.Stop()
	for {
		_ = k.refresh(ctx) // reported
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Verify checks a JWT. For a key that is not known, the keys are read again first, but not too often.
func (k *KeySet) Verify(ctx context.Context, u *Unverified, want Expected, now time.Time) (*JWT, error) {
	k.mu.Lock()
	keys := k.good
	k.mu.Unlock()
	if keys != nil {
		if j, err := u.Verify(keys, want, now); !errors.Is(err, ErrUnknownKey) {
			return j, err
		}
	}
	if !k.asking.Allow() {
		if keys == nil {
			return nil, ErrNoKeys
		}
		return nil, ErrUnknownKey
	}
	if err := k.refresh(context.WithoutCancel(ctx)); err != nil && keys == nil { // it was allowed once, and serves others too
		return nil, ErrNoKeys
	}
	k.mu.Lock()
	keys = k.good
	k.mu.Unlock()
	return u.Verify(keys, want, now)
}

// ErrNoKeys is that no keys could be read yet.
var ErrNoKeys = errors.New("the keys of that issuer cannot be read")

func (k *KeySet) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	keys, err := k.read(ctx)
	if err == nil {
		k.mu.Lock()
		k.good = keys
		k.mu.Unlock()
	}
	if ctx.Err() == nil || err == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		k.report(err)
	}
	return err
}

func (k *KeySet) read(ctx context.Context) (*jose.JSONWebKeySet, error) {
	b, err := k.bytes(ctx)
	if err != nil {
		return nil, err
	}
	return ParseKeySet(b)
}
