package main

import (
	"strings"
	"testing"
	"time"
)

// The demo is only worth something if it would notice.
func TestLedgerNoticesEveryBrokenPromise(t *testing.T) {
	live := token{compact: "a.b.c", kid: "k", expiry: time.Now().Add(time.Hour)}
	for name, c := range map[string]struct {
		happens func(*ledger)
		broken  bool
	}{
		"a valid token accepted":                 {func(l *ledger) { l.answered(live, time.Now(), true, "") }, false},
		"a valid token rejected":                 {func(l *ledger) { l.answered(live, time.Now(), false, "401") }, true},
		"a revoked key rejected":                 {func(l *ledger) { l.revoke("k"); l.answered(live, time.Now(), false, "401") }, false},
		"a revoked key accepted at once":         {func(l *ledger) { l.revoke("k"); l.answered(live, time.Now(), true, "") }, false},
		"a revoked key accepted late":            {func(l *ledger) { l.revoke("k"); l.answered(live, time.Now().Add(time.Minute), true, "") }, true},
		"a token rejected, then its key revoked": {func(l *ledger) { l.answered(live, time.Now(), false, "401"); l.revoke("k") }, true},
		"a forged token rejected":                {func(l *ledger) { l.forged(false) }, false},
		"a forged token accepted":                {func(l *ledger) { l.forged(true) }, true},
		"a service that is silent":               {func(l *ledger) { l.update(func(t *tally) { t.unreachable++ }, "") }, true},
		"a login refused by all":                 {func(l *ledger) { l.update(func(t *tally) { t.refusedLogins++ }, "") }, true},
		"a login that failed over":               {func(l *ledger) { l.update(func(t *tally) { t.failedOver++ }, "") }, false},
	} {
		l := newLedger(time.Second)
		c.happens(l)
		if got, _ := l.snapshot(); got.broken() != c.broken {
			t.Errorf("%s: broken is %v", name, got.broken())
		}
	}
}

func TestOnlyLiveTokensAreShown(t *testing.T) {
	l := newLedger(time.Second)
	if _, ok := l.any(); ok {
		t.Error("a token out of nothing")
	}
	l.given(token{compact: "old", expiry: time.Now().Add(50 * time.Millisecond)})
	if got, ok := l.any(); ok {
		t.Errorf("%v is about to expire", got)
	}
	l.given(token{compact: "new", expiry: time.Now().Add(time.Hour)})
	for range 20 {
		if got, ok := l.any(); ok && got.compact != "new" {
			t.Errorf("shown: %v", got)
		}
	}
}

func TestForgedTokensDifferInTheirSubject(t *testing.T) {
	compact := "e30." + "eyJzdWIiOiJhIn0" + ".sig"
	got := forged(compact)
	if got == compact || !strings.HasSuffix(got, ".sig") || !strings.HasPrefix(got, "e30.") {
		t.Errorf("%s", got)
	}
}
