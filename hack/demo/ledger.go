package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// token is one that an issuer gave out and that has not expired.
type token struct {
	compact string
	kid     string
	expiry  time.Time
}

// tally counts what happened to tokens.
type tally struct {
	issued, failedOver, refusedLogins int
	verified                          int
	// validRejected must stay 0: tokens that had not expired, of a key that was not revoked.
	validRejected int
	// revokedRejected are tokens of a revoked key; revokedAccepted were accepted while the files of the pods lagged, and
	// revokedLate after that, which must stay 0.
	revokedRejected, revokedAccepted, revokedLate int
	forgedRejected, forgedAccepted                int
	unreachable                                   int
}

// broken tells whether the promise was.
func (t tally) broken() bool {
	return t.validRejected > 0 || t.revokedLate > 0 || t.forgedAccepted > 0 || t.unreachable > 0 || t.refusedLogins > 0
}

// ledger knows which tokens are valid, by what it saw itself: it asks neither controller nor verifier.
type ledger struct {
	// lateAfter is from when on after a revocation no token of the key may be accepted.
	lateAfter time.Duration

	mu      sync.Mutex
	live    []token
	revoked map[string]time.Time
	count   tally
	broken  []string
}

func newLedger(lateAfter time.Duration) *ledger {
	return &ledger{lateAfter: lateAfter, revoked: map[string]time.Time{}}
}

// given adds a token.
func (l *ledger) given(t token) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count.issued++
	l.live = slices.DeleteFunc(l.live, func(t token) bool { return time.Now().After(t.expiry) })
	l.live = append(l.live, t)
}

// any returns a token that lives for a moment longer.
func (l *ledger) any() (token, bool) {
	const margin = 200 * time.Millisecond // the request takes a while
	l.mu.Lock()
	defer l.mu.Unlock()
	for range 5 {
		if len(l.live) == 0 {
			break
		}
		if t := l.live[rand.IntN(len(l.live))]; time.Until(t.expiry) > margin {
			return t, true
		}
	}
	return token{}, false
}

// revoke notes that a key is about to be revoked.
func (l *ledger) revoke(kid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revoked[kid] = time.Now()
}

// answered classifies what a service said to a token that was sent at a given time.
func (l *ledger) answered(t token, sent time.Time, accepted bool, said string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, revoked := l.revoked[t.kid]
	switch {
	case accepted && revoked && sent.Sub(at) > l.lateAfter:
		l.count.revokedLate++
		l.note("a token of the revoked key %.8s was accepted %v after its revocation", t.kid, sent.Sub(at))
	case accepted && revoked:
		l.count.revokedAccepted++
	case accepted:
		l.count.verified++
	case revoked:
		l.count.revokedRejected++
	default:
		l.count.validRejected++
		l.note("a valid token of key %.8s was rejected, %v before its expiry: %s", t.kid, time.Until(t.expiry), said)
	}
}

func (l *ledger) forged(accepted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if accepted {
		l.count.forgedAccepted++
		l.note("a forged token was accepted")
		return
	}
	l.count.forgedRejected++
}

// update changes the tally, and notes what went wrong if anything did.
func (l *ledger) update(change func(*tally), problem string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.count)
	if problem != "" {
		l.note("%s", problem)
	}
}

func (l *ledger) note(format string, args ...any) {
	if len(l.broken) < 10 {
		l.broken = append(l.broken, time.Now().Format(time.TimeOnly)+" "+fmt.Sprintf(format, args...))
	}
}

func (l *ledger) snapshot() (tally, []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count, slices.Clone(l.broken)
}
