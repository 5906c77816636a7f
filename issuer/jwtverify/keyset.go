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
	// refreshEvery is the interval of refreshes, after which a removed key is no longer accepted.
	refreshEvery = 5 * time.Minute
	// requesterRefreshInterval is the minimum interval between refreshes that unknown keys of one requester cause,
	// and anonymousRefreshInterval that of all unauthenticated requesters together.
	requesterRefreshInterval = 10 * time.Second
	anonymousRefreshInterval = time.Second
	// maxRequesters is the maximum number of stored requesters.
	maxRequesters = 10_000
)

// KeySet holds the last valid public keys of another issuer.
type KeySet struct {
	issuer string
	source KeySource
	report func(error)
	// warn is called once for each list of skipped keys.
	warn       func(leftOut []string)
	requesters *lru.Cache[string, *rate.Limiter]
	anonymous  *rate.Limiter
	// lookups shares one refresh among concurrent tokens of a requester, and refreshes among all requesters.
	lookups, refreshes singleflight.Group

	mu   sync.Mutex
	good *jose.JSONWebKeySet
	// stale is true if the last refresh failed, and problem is its error.
	stale   bool
	problem string
	leftOut []string
}

// Requester is the sender of a token with an unknown key. Each has its own budget of refreshes, so that invented key
// IDs do not use up the budget of others.
type Requester struct {
	// Name identifies the requester.
	Name string
	// Authenticated is true for an authenticated client. All others also share a common budget.
	Authenticated bool
}

// NewKeySet returns an empty KeySet. report is called after each successful refresh with nil, and once for each new
// error. warn is called when the list of skipped keys changes.
func NewKeySet(issuer string, source KeySource, report func(error), warn func(leftOut []string)) *KeySet {
	requesters, _ := lru.New[string, *rate.Limiter](maxRequesters) // fails for sizes below 1 only
	return &KeySet{issuer: issuer, source: source, report: report, warn: warn, requesters: requesters, anonymous: rate.NewLimiter(rate.Every(anonymousRefreshInterval), 20)}
}

// allowRefresh takes one refresh from the budget of a requester.
func (k *KeySet) allowRefresh(who Requester) bool {
	mine, ok := k.requesters.Get(who.Name)
	if !ok {
		mine = rate.NewLimiter(rate.Every(requesterRefreshInterval), 2)
		if other, there, _ := k.requesters.PeekOrAdd(who.Name, mine); there {
			mine = other
		}
	}
	return mine.Allow() && (who.Authenticated || k.anonymous.Allow())
}

// Run refreshes the keys until ctx is done. A file is polled at the given interval and read if it has changed.
func (k *KeySet) Run(ctx context.Context, every time.Duration) {
	if k.source.File != "" {
		load := func() (struct{}, error) { return struct{}{}, k.refresh(ctx) }
		file := reload.New(k.source.File, []string{k.source.File}, load, func(string, error) {}) // the error is reported by refresh
		_ = file.Poll()
		file.Run(ctx, every)
		return
	}
	ticker := time.NewTicker(refreshEvery)
	defer ticker.Stop()
	for {
		_ = k.refresh(ctx) // the error is reported
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Verify verifies a JWT. If its key is unknown, it first refreshes the keys, within the budget of the requester. It
// returns ErrKeysUnavailable if that fails and the key may be new; the other errors are those of Unverified.Verify.
func (k *KeySet) Verify(ctx context.Context, u *Unverified, want Expected, who Requester, now time.Time) (*JWT, error) {
	if keys, _ := k.current(); keys != nil {
		if j, err := u.Verify(keys, want, now); !errors.Is(err, ErrUnknownKey) {
			return j, err
		}
	}
	_, _, _ = k.lookups.Do(who.Name, func() (any, error) {
		if k.allowRefresh(who) {
			_, _, _ = k.refreshes.Do("", func() (any, error) {
				return nil, k.refresh(context.WithoutCancel(ctx)) // the error is reported; the refresh serves other requesters too
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
		if _, wrong := u.validateClaims(want, now); wrong == nil { // valid except for the signature
			return nil, ErrKeysUnavailable
		}
	}
	return j, err
}

// current returns the last valid keys, nil if there are none, and whether the last refresh failed.
func (k *KeySet) current() (good *jose.JSONWebKeySet, old bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.good, k.stale
}

// ErrKeysUnavailable is returned if no keys could be read yet, or if the key is unknown and the keys cannot be read
// now.
var ErrKeysUnavailable = errors.New("the keys of the issuer cannot be read")

func (k *KeySet) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	keys, leftOut, err := k.read(ctx)
	k.mu.Lock()
	if k.stale = err != nil; !k.stale {
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
