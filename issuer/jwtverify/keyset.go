package jwtverify

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/keywright/keywright/api/jwks"
	"github.com/keywright/keywright/issuer/reload"
)

const (
	// refreshEvery is how soon a key that a server no longer publishes is no longer accepted.
	refreshEvery = 5 * time.Minute
	// askAgainAfter bounds how often the unknown keys of one asker make us ask, and strangersAskAfter how often those of all strangers do.
	askAgainAfter     = 10 * time.Second
	strangersAskAfter = time.Second
	// maxAskers bounds how many askers are remembered.
	maxAskers = 10_000
)

// KeySet is the public keys of another issuer: the last that could be read.
type KeySet struct {
	issuer string
	source KeySource
	report func(error)
	// warn is told once of the keys of a set that are left out.
	warn    func(leftOut []string)
	askers  *lru.Cache[string, *rate.Limiter]
	strange *rate.Limiter
	// asks lets all tokens of an asker that need a new key wait for the one question for it, and refreshes all askers.
	asks, refreshes singleflight.Group

	mu   sync.Mutex
	good *jose.JSONWebKeySet
	// old means that the last reading failed, and problem why.
	old     bool
	problem string
	leftOut []string
}

// Asker is who presents a token whose key is not known. Each has a budget of its own for having the keys read again, so that strangers with
// invented key IDs cannot use up that of others.
type Asker struct {
	// Name tells one asker from another.
	Name string
	// Known is set for a client that has proved who it is. What strangers can ask for is also bounded for all of them together.
	Known bool
}

// NewKeySet returns a KeySet that has read nothing yet. report is told of every time it is read, nil or the error, of each error once; warn of the keys that
// are left out, when they are others than before.
func NewKeySet(issuer string, source KeySource, report func(error), warn func(leftOut []string)) *KeySet {
	askers, _ := lru.New[string, *rate.Limiter](maxAskers) // fails for sizes below 1 only
	return &KeySet{issuer: issuer, source: source, report: report, warn: warn, askers: askers, strange: rate.NewLimiter(rate.Every(strangersAskAfter), 20)}
}

// mayAsk takes one of the looks that an asker has.
func (k *KeySet) mayAsk(who Asker) bool {
	mine, ok := k.askers.Get(who.Name)
	if !ok {
		mine = rate.NewLimiter(rate.Every(askAgainAfter), 2)
		if other, there, _ := k.askers.PeekOrAdd(who.Name, mine); there {
			mine = other
		}
	}
	return mine.Allow() && (who.Known || k.strange.Allow())
}

// Follow reads the keys again and again until the context ends. A file is looked at every so often, and read when it has changed.
func (k *KeySet) Follow(ctx context.Context, every time.Duration) {
	if k.source.File != "" {
		load := func() (struct{}, error) { return struct{}{}, k.refresh(ctx) }
		file := reload.New(k.source.File, []string{k.source.File}, load, func(string, error) {}) // refresh reports
		_ = file.Poll()
		file.Run(ctx, every)
		return
	}
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
func (k *KeySet) Verify(ctx context.Context, u *Unverified, want Expected, who Asker, now time.Time) (*JWT, error) {
	if keys, _ := k.current(); keys != nil {
		if j, err := u.Verify(keys, want, now); !errors.Is(err, ErrUnknownKey) {
			return j, err
		}
	}
	_, _, _ = k.asks.Do(who.Name, func() (any, error) {
		if k.mayAsk(who) {
			_, _, _ = k.refreshes.Do("", func() (any, error) {
				return nil, k.refresh(context.WithoutCancel(ctx)) // reported; it was allowed once, and serves others too
			})
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
	keys, leftOut, err := k.read(ctx)
	k.mu.Lock()
	if k.old = err != nil; !k.old {
		k.good = keys
	}
	warn := len(leftOut) > 0 && !slices.Equal(leftOut, k.leftOut)
	k.leftOut = leftOut
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	again := problem != "" && problem == k.problem
	k.problem = problem
	k.mu.Unlock()
	if warn {
		k.warn(leftOut)
	}
	if !again && (ctx.Err() == nil || err == nil || errors.Is(ctx.Err(), context.DeadlineExceeded)) {
		k.report(err)
	}
	return err
}

func (k *KeySet) read(ctx context.Context) (keys *jose.JSONWebKeySet, leftOut []string, err error) {
	b, err := k.bytes(ctx)
	if err != nil {
		return nil, nil, err
	}
	keys, out, err := jwks.Parse(b)
	return keys, jwks.Problems(out), err
}
