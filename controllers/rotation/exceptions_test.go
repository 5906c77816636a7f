package rotation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/controllers/rotation"
)

func TestRevocations(t *testing.T) {
	for name, c := range map[string]struct {
		revoked           []string
		active, published string
	}{
		"the Active key":   {[]string{"k1"}, "k2", "k2 k3"},
		"the Standby":      {[]string{"k2"}, "k1", "k1 k3"},
		"both":             {[]string{"k1", "k2"}, "k3", "k3 k4"},
		"an unknown key":   {[]string{"k9"}, "k1", "k1 k2"},
		"all of the above": {[]string{"k9", "k1", "k2"}, "k3", "k3 k4"},
	} {
		t.Run(name, func(t *testing.T) {
			s := ready(t)
			s.policy.Revoked = c.revoked
			s.seen.Lagging = map[string]int{"k2": 1, "k3": 1, "k4": 1} // a revocation waits for nobody
			s.settle()
			s.wantActive(c.active)
			s.wantPublished(strings.Fields(c.published)...)
			s.policy.Revoked = nil
			s.pass(20 * time.Minute)
			s.wantPublished(strings.Fields(c.published)...)
			if len(s.ring.Revoked) != len(c.revoked) {
				t.Errorf("the record is %v", s.ring.Revoked)
			}
		})
	}
}

func TestFullSetHoldsRotationsButNoRevocation(t *testing.T) {
	s := ready(t)
	s.policy.MaxLifetime = 24 * time.Hour
	for range rotation.MaxKeys + 5 {
		s.now += 17 * time.Minute
		s.policy.RotateRequested = s.time()
		s.settle()
	}
	if n := len(s.ring.PublishedIDs()); n != rotation.MaxKeys {
		t.Errorf("%d keys are published", n)
	}
	if d := s.plan(); d.Rotation.Blocked != rotation.TooManyKeys {
		t.Errorf("the next rotation is %+v", d.Rotation)
	}
	before := s.active()
	s.policy.Revoked = []string{before}
	s.settle()
	if s.active() == before || s.active() == "" {
		t.Errorf("after the revocation %q signs", s.active())
	}
}

func TestRestoredKeyringIsRecognized(t *testing.T) {
	s := ready(t)
	old := s.ring.Clone()
	s.pass(time.Hour)
	s.ring = old
	if d := s.plan(); !d.Restored || len(d.Moves) > 0 || d.Wanted != nil || !d.Next.Equal(old) {
		t.Errorf("the decision is %+v", d)
	}
}

func TestPrivateHalves(t *testing.T) {
	s := ready(t)
	s.pass(3 * time.Hour)
	for _, k := range s.ring.Keys {
		if has := len(k.Private) > 0; has != (k.State != rotation.Retired) {
			t.Errorf("key %s is %s and has a private half: %v", k.ID, k.State, has)
		}
	}
}

// A target that refuses delays a rotation by waitForTargets from the time it is due, and not from its first hand-over.
func TestRotationWaitsForTargetsNoLongerThanAllowed(t *testing.T) {
	s := newShell(t)
	s.policy.WaitForTargets = 2 * time.Hour
	s.settle()
	s.pass(30 * time.Minute)
	standby := s.ring.Standby().ID
	s.seen.Lagging = map[string]int{standby: 1}
	s.seen.HandedOver = map[string]time.Time{standby: epoch}
	s.pass(150*time.Minute - time.Nanosecond)
	if s.active() == standby {
		t.Fatal("it rotates before waitForTargets is over")
	}
	if at := s.plan().Rotation.Deadline; !at.Equal(epoch.Add(3 * time.Hour)) {
		t.Errorf("the deadline is %v", at)
	}
	s.now = 3 * time.Hour
	d := s.plan()
	if d.Next.Active().ID != standby || !d.Moves[1].LeftBehind {
		t.Errorf("moves %+v", d.Moves)
	}
}

// Without a hand-over by a running controller no time counts: targets could not have been given the key.
func TestDeadlineNeedsAHandOver(t *testing.T) {
	s := newShell(t)
	s.policy.WaitForTargets = time.Minute
	s.settle()
	standby := s.ring.Standby().ID
	s.seen.Lagging = map[string]int{standby: 1}
	s.pass(100 * time.Hour)
	if s.active() == standby {
		t.Error("it rotates")
	}
	s.seen.HandedOver = map[string]time.Time{standby: s.time()}
	least := 2*s.policy.PropagationDelay + s.policy.ClockSkew
	s.pass(least - time.Nanosecond)
	if s.active() == standby {
		t.Error("it waits for less than a target needs")
	}
	s.pass(time.Nanosecond)
	s.wantActive(standby)
}

func TestDeletionRemovesAllKeysAndCompletesAfterThePropagationDelay(t *testing.T) {
	s := newShell(t)
	s.policy.WaitForTargets = time.Hour
	s.settle()
	s.policy.Deleting = true
	s.seen.Holders = 3
	s.settle()
	s.wantPublished()
	if s.active() != "" || s.plan().Ended || !s.ring.EndedAt.IsZero() {
		t.Fatalf("%+v", s.ring)
	}
	s.pass(10 * time.Minute)
	s.seen.Holders = 0
	s.settle()
	s.pass(s.policy.PropagationDelay + s.policy.ClockSkew - time.Nanosecond) // the clock of another leader may be ahead
	if s.plan().Ended {
		t.Error("it ends while pods may not have read it")
	}
	s.seen.Holders = 1 // one comes back
	s.settle()
	s.seen.Holders = 0
	s.pass(time.Nanosecond)
	if s.plan().Ended {
		t.Error("a file that came back does not restart the wait")
	}
	s.pass(s.policy.PropagationDelay + s.policy.ClockSkew)
	if !s.plan().Ended {
		t.Error("it does not end")
	}
}

// What comes due between reading and planning is decided by the next plan, which is due at once: nothing else may ever change.
func TestWhatComesDueWhileAPassReadsIsNotForgotten(t *testing.T) {
	for name, due := range map[string]func(*shell) time.Time{
		"the end of a deletion": func(s *shell) time.Time {
			s.policy.Deleting = true
			s.settle()
			return s.policy.EndOf(s.ring.EndedAt)
		},
		"a rotation": func(s *shell) time.Time { return s.plan().Rotation.At() },
	} {
		t.Run(name, func(t *testing.T) {
			s := ready(t)
			at := due(s)
			s.now = at.Sub(s.time()) + s.now
			s.seen.At = at.Add(-time.Nanosecond)
			if d := s.plan(); d.Ended || len(d.Moves) > 0 || !d.Wake.Equal(at) {
				t.Errorf("ended %v, moves %v, the next look is at %v and due at %v", d.Ended, d.Moves, d.Wake, at)
			}
		})
	}
}

func TestDeletionCompletesWithoutARefusingTarget(t *testing.T) {
	s := newShell(t)
	s.policy.WaitForTargets = time.Hour
	s.settle()
	s.policy.Deleting, s.seen.Holders = true, 1
	s.settle()
	s.pass(time.Hour + s.policy.PropagationDelay + s.policy.ClockSkew - time.Nanosecond)
	if s.plan().Ended {
		t.Error("it does not wait for the target")
	}
	s.pass(time.Nanosecond)
	if !s.plan().Ended {
		t.Error("it waits for ever")
	}
}

// The proof is renewed once per propagation delay, however often files change, and moves the publication to what is known.
func TestProofIsRenewedNowAndThen(t *testing.T) {
	s := newShell(t)
	s.seen.Digest = "a"
	s.settle()
	proof := func() string { return s.ring.Standby().Proof }
	if proof() != "a" {
		t.Fatalf("proof %q", proof())
	}
	s.seen.Digest = "b"
	s.pass(s.policy.PropagationDelay - time.Nanosecond)
	if proof() != "a" {
		t.Errorf("it is renewed with each change: %q", proof())
	}
	given := s.time().Add(-time.Second)
	s.seen.HeldSince = map[string]time.Time{s.ring.Standby().ID: given}
	s.pass(time.Nanosecond)
	if proof() != "b" || !s.ring.Standby().PublishedAt.Equal(given) {
		t.Errorf("proof %q, published %v", proof(), s.ring.Standby().PublishedAt)
	}
	s.seen.Lagging = map[string]int{s.ring.Standby().ID: 1}
	s.settle()
	if proof() != "" {
		t.Error("a break leaves the proof")
	}
}
