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
	// old is that the last reading failed.
	old bool
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

// Verify checks a JWT. For a key that is not known, the keys are read again first, but not too often. ErrKeysUnavailable is
// returned when they cannot be read and the key may be a new one; other errors are those of Unverified.Verify.
func (k *KeySet) Verify(ctx context.Context, u *Unverified, want Expected, now time.Time) (*JWT, error) {
	if keys, _ := k.current(); keys != nil {
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
	keys, old := k.current()
	if keys == nil {
		return nil, ErrKeysUnavailable
	}
	j, err := u.Verify(keys, want, now)
	if old && errors.Is(err, ErrUnknownKey) {
		if _, wrong := u.accept(want, now); wrong == nil { // a new key would make it a good one
			return nil, ErrKeysUnavailable
		}
	}
	return j, err
}

// current returns the last good keys, nil if there are none, and whether the last reading failed.
func (k *KeySet) current() (good *jose.JSONWebKeySet, old bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.good, k.old
}

// ErrKeysUnavailable is returned when a JWT cannot be judged: no keys could be read yet, or its key is not among the last good ones
// and they cannot be read now.
var ErrKeysUnavailable = errors.New("the keys of that issuer cannot be read")

func (k *KeySet) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	keys, err := k.read(ctx)
	k.mu.Lock()
	if k.old = err != nil; !k.old {
		k.good = keys
	}
	k.mu.Unlock()
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
