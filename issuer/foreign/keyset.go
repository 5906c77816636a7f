package foreign

import (
	"context"
	"errors"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
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
	// asks lets all who need a new key wait for the one question for it.
	asks singleflight.Group

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
	if keys := k.current(); keys != nil {
		if j, err := u.Verify(keys, want, now); !errors.Is(err, ErrUnknownKey) {
			return j, err
		}
	}
	_, _, _ = k.asks.Do("", func() (any, error) {
		if k.asking.Allow() {
			_ = k.refresh(context.WithoutCancel(ctx)) // reported; it was allowed once, and serves others too
		}
		return nil, nil
	})
	keys := k.current()
	if keys == nil {
		return nil, ErrNoKeys
	}
	return u.Verify(keys, want, now)
}

func (k *KeySet) current() *jose.JSONWebKeySet {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.good
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
