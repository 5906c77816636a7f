package traffic

import (
	"strings"
	"testing"
	"time"
)

// The demo is only worth something if it would notice.
func TestLedgerNoticesEveryBrokenPromise(t *testing.T) {
	live := Token{Compact: "a.b.c", KeyID: "k", Expiry: time.Now().Add(time.Hour)}
	for name, c := range map[string]struct {
		happens func(*Ledger)
		broken  bool
	}{
		"a valid token accepted":                 {func(l *Ledger) { l.answered(live, time.Now(), true, "") }, false},
		"a valid token rejected":                 {func(l *Ledger) { l.answered(live, time.Now(), false, "401") }, true},
		"a revoked key rejected":                 {func(l *Ledger) { l.Revoke("k"); l.answered(live, time.Now(), false, "401") }, false},
		"a revoked key accepted at once":         {func(l *Ledger) { l.Revoke("k"); l.answered(live, time.Now(), true, "") }, false},
		"a revoked key accepted late":            {func(l *Ledger) { l.Revoke("k"); l.answered(live, time.Now().Add(time.Minute), true, "") }, true},
		"a token rejected, then its key revoked": {func(l *Ledger) { l.answered(live, time.Now(), false, "401"); l.Revoke("k") }, true},
		"a forged token rejected":                {func(l *Ledger) { l.forged(false) }, false},
		"a forged token accepted":                {func(l *Ledger) { l.forged(true) }, true},
		"a service that is silent":               {func(l *Ledger) { l.update(func(t *Tally) { t.Unreachable++ }, "") }, true},
		"a login refused by all":                 {func(l *Ledger) { l.update(func(t *Tally) { t.RefusedLogins++ }, "") }, true},
		"a login that failed over":               {func(l *Ledger) { l.update(func(t *Tally) { t.FailedOver++ }, "") }, false},
	} {
		l := NewLedger(time.Second)
		c.happens(l)
		if got, _ := l.Snapshot(); got.Broken() != c.broken {
			t.Errorf("%s: broken is %v", name, got.Broken())
		}
	}
}

func TestOnlyLiveTokensAreShown(t *testing.T) {
	l := NewLedger(time.Second)
	if _, ok := l.any(); ok {
		t.Error("a token out of nothing")
	}
	l.given(Token{Compact: "old", Expiry: time.Now().Add(50 * time.Millisecond)})
	if got, ok := l.any(); ok {
		t.Errorf("%v is about to expire", got)
	}
	l.given(Token{Compact: "new", Expiry: time.Now().Add(time.Hour)})
	for range 20 {
		if got, ok := l.any(); ok && got.Compact != "new" {
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
