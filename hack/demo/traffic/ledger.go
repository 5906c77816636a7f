// Package traffic logs in and calls services at a steady rate, and knows by itself which tokens are valid: what rejects one of them has
// broken the promise.
package traffic

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Token is one that an issuer gave out and that has not expired.
type Token struct {
	// Compact is its serialization, and KeyID its kid.
	Compact, KeyID string
	Expiry         time.Time
}

// Tally counts what happened to tokens.
type Tally struct {
	Issued, FailedOver, RefusedLogins int
	Verified                          int
	// ValidRejected must stay 0: tokens that had not expired, of a key that was not revoked.
	ValidRejected int
	// RevokedRejected are tokens of a revoked key; RevokedAccepted were accepted while the files of the pods lagged, and
	// RevokedLate after that, which must stay 0.
	RevokedRejected, RevokedAccepted, RevokedLate int
	ForgedRejected, ForgedAccepted                int
	// CalledAgain are calls whose connection was refused: no service saw them. Unreachable were refused for longer.
	CalledAgain, Unreachable int
}

// Broken reports whether the promise was.
func (t Tally) Broken() bool {
	return t.ValidRejected > 0 || t.RevokedLate > 0 || t.ForgedAccepted > 0 || t.Unreachable > 0 || t.RefusedLogins > 0
}

// Ledger knows which tokens are valid, by what it saw itself: it asks neither controller nor verifier.
type Ledger struct {
	// lateAfter is from when on after a revocation no token of the key may be accepted.
	lateAfter time.Duration

	mu      sync.Mutex
	live    []Token
	revoked map[string]time.Time
	count   Tally
	broken  []string
}

// NewLedger returns an empty one. From lateAfter on after a revocation no token of the key may be accepted.
func NewLedger(lateAfter time.Duration) *Ledger {
	return &Ledger{lateAfter: lateAfter, revoked: map[string]time.Time{}}
}

// given adds a token.
func (l *Ledger) given(t Token) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count.Issued++
	l.live = slices.DeleteFunc(l.live, func(t Token) bool { return time.Now().After(t.Expiry) })
	l.live = append(l.live, t)
}

// any returns a token that lives for a moment longer.
func (l *Ledger) any() (Token, bool) {
	const margin = 200 * time.Millisecond // the request takes a while
	l.mu.Lock()
	defer l.mu.Unlock()
	for range 5 {
		if len(l.live) == 0 {
			break
		}
		if t := l.live[rand.IntN(len(l.live))]; time.Until(t.Expiry) > margin {
			return t, true
		}
	}
	return Token{}, false
}

// Revoke notes that a key is about to be revoked.
func (l *Ledger) Revoke(kid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revoked[kid] = time.Now()
}

// answered classifies what a service said to a token that was sent at a given time.
func (l *Ledger) answered(t Token, sent time.Time, accepted bool, said string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, revoked := l.revoked[t.KeyID]
	switch {
	case accepted && revoked && sent.Sub(at) > l.lateAfter:
		l.count.RevokedLate++
		l.note("a token of the revoked key %.8s was accepted %v after its revocation", t.KeyID, sent.Sub(at))
	case accepted && revoked:
		l.count.RevokedAccepted++
	case accepted:
		l.count.Verified++
	case revoked:
		l.count.RevokedRejected++
	default:
		l.count.ValidRejected++
		l.note("a valid token of key %.8s was rejected, %v before its expiry: %s", t.KeyID, time.Until(t.Expiry), said)
	}
}

func (l *Ledger) forged(accepted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if accepted {
		l.count.ForgedAccepted++
		l.note("a forged token was accepted")
		return
	}
	l.count.ForgedRejected++
}

// update changes the tally, and notes what went wrong if anything did.
func (l *Ledger) update(change func(*Tally), problem string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.count)
	if problem != "" {
		l.note("%s", problem)
	}
}

func (l *Ledger) note(format string, args ...any) {
	if len(l.broken) < 10 {
		l.broken = append(l.broken, time.Now().Format(time.TimeOnly)+" "+fmt.Sprintf(format, args...))
	}
}

// Snapshot returns the counts, and the first things that went wrong.
func (l *Ledger) Snapshot() (Tally, []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count, slices.Clone(l.broken)
}
