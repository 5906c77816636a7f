package verifier

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// observations keeps what an Observer hears.
type observations struct {
	mu    sync.Mutex
	heard []string
}

func (o *observations) TokenVerified(reason string) { o.note("token %s", reason) }

func (o *observations) KeySetRead(status KeySetStatus) {
	o.note("set %d bits, %d keys, failed %v", 4*len(status.Digest), len(status.KeyIDs), status.Failure != "")
}

func (o *observations) note(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.heard = append(o.heard, fmt.Sprintf(format, args...))
}

func TestObserverIsCalledForTokensAndReads(t *testing.T) {
	es := esKey()
	volume := newVolume(t, setOf(es.jwk()))
	var heard observations
	v, err := New(Config{
		Issuers: map[string]Source{testIssuer: File(volume.path())}, Audience: testAudience, PollInterval: time.Minute,
		Now: func() time.Time { return testNow }, Observer: &heard, Logger: (&log{}).logger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = v.Verify(t.Context(), es.good())
	_, _ = v.Verify(t.Context(), "x")
	volume.update([]byte("broken"), testNow)
	v.issuerVerifiers[0].poller.poll(t.Context(), false)
	_, _ = v.Verify(t.Context(), es.sign(`{"alg":"ES256","kid":"nobody","typ":"at+jwt"}`, goodClaims))
	v.issuerVerifiers[0].poller.lastRefresh.Store(0)
	gate := gated(t, v.issuerVerifiers[0].poller, make(chan struct{}))
	_, _ = v.Verify(ended, es.sign(`{"alg":"ES256","kid":"nobody","typ":"at+jwt"}`, goodClaims))
	v.cancel() // so that what may have begun to be read is not heard of
	close(gate.open)
	v.Close()
	want := []string{
		"set 64 bits, 1 keys, failed false", "token ok", "token malformed", "set 64 bits, 1 keys, failed true",
		"set 64 bits, 1 keys, failed true", "token keys_unavailable", "token other",
	}
	if diff := cmp.Diff(want, heard.heard); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
}

// Every error that a token can be refused with has a word of its own.
func TestEveryReasonIsNamed(t *testing.T) {
	named := map[string]bool{"ok": true, "other": true}
	for _, err := range []error{
		ErrMalformed, ErrWrongAlgorithm, ErrUnknownKey, ErrBadSignature, ErrWrongType, ErrWrongIssuer, ErrWrongAudience,
		ErrExpired, ErrNotYetValid, ErrRevoked, ErrNotDecrypted, ErrStaleKeySet, ErrKeysUnavailable,
	} {
		reason := reasonOf(fmt.Errorf("wrapped: %w", err))
		if named[reason] {
			t.Errorf("%v is counted as %s", err, reason)
		}
		named[reason] = true
	}
	if reasonOf(ErrClosed) != "other" || reasonOf(nil) != "ok" {
		t.Error("what is no refusal has a reason")
	}
}
