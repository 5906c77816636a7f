package rotation_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/controllers/rotation"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A schedule to which nothing happens, with a request, a revocation and a drain, as a person would read it.
func TestTraceOfALife(t *testing.T) {
	s := newShell(t)
	s.settle()
	s.pass(2*time.Hour + 20*time.Minute)
	s.policy.RotateRequested = s.time()
	s.settle()
	s.pass(50 * time.Minute)
	s.policy.Revoked = []string{s.active()}
	s.settle()
	s.pass(time.Hour)
	s.policy.Draining = true
	s.settle()
	s.pass(time.Hour)
	got := strings.Join(s.trace, "\n") + "\n"
	golden := filepath.Join("testdata", "life.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("go test ./controllers/rotation -run TestTrace -update writes it anew, if this is meant:\n%s", diff)
	}
}

// ready leads a keyring to where k2 is due at 1h and has been everywhere since 0.
func ready(t *testing.T) *shell {
	t.Helper()
	s := newShell(t)
	s.settle()
	s.wantActive("k1")
	s.wantPublished("k1", "k2")
	return s
}

func TestStandbyWaitsUntilEverybodyIsBoundToKnowIt(t *testing.T) {
	for name, disturb := range map[string]func(*shell){
		"a target lacks it": func(s *shell) { s.seen.Lagging = map[string]int{"k2": 1} },
		"the signing-key Secret lacks it": func(s *shell) {
			s.seen.Secret.Published = []string{"k1"}
			s.ring.Generation++ // so that the Secret that is seen is an old one
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := ready(t)
			s.now = 50 * time.Minute
			disturb(s)
			s.ring = s.plan().Next // seen once, then it is repaired
			s.seen.Lagging = nil
			s.write()
			s.settle()
			s.pass(15*time.Minute + 59*time.Second)
			s.wantActive("k1")
			s.pass(time.Second)
			s.wantActive("k2")
		})
	}
}

// A target that lost the Standby and got it back between two plans shows in Given alone.
func TestStandbyWaitsFromWhenATargetWasLastGivenIt(t *testing.T) {
	s := ready(t)
	s.seen.Given = map[string]time.Time{"k2": epoch.Add(50 * time.Minute)}
	s.pass(65 * time.Minute)
	s.wantActive("k1")
	s.pass(time.Minute)
	s.wantActive("k2")
}

// A pass that was held up goes by the time before it began to read.
func TestStalledPassDecidesByWhenItRead(t *testing.T) {
	s := ready(t)
	s.now = 59 * time.Minute
	s.seen.At = s.time()
	s.now = 5 * time.Hour
	if d := s.plan(); len(d.Moves) > 0 {
		t.Errorf("it moved %v", d.Moves)
	}
	s.seen.At = time.Time{}
	s.settle()
	s.wantActive("k2")
	// The same for a removal: what was read before the last token expired removes nothing.
	s.now += 20 * time.Minute
	s.settle()
	s.seen.At = s.time()
	s.now += time.Hour
	if d := s.plan(); len(d.Moves) > 0 {
		t.Errorf("it moved %v", d.Moves)
	}
}

func TestNothingIsRemovedBeforeTheOldKeyWasSeenSuperseded(t *testing.T) {
	s := ready(t)
	s.pass(time.Hour)
	s.wantActive("k2")
	removal := 26 * time.Minute // propagation delay + lifetime + skew
	for name, disturb := range map[string]func(*rotation.Secret){
		"the Secret still has the old key": func(o *rotation.Secret) { o.ActiveID = "k1" },
		"the Secret is gone":               func(o *rotation.Secret) { *o = rotation.Secret{} },
	} {
		t.Run(name, func(t *testing.T) {
			c := *s
			c.TB, c.ring = t, s.ring.Clone()
			c.now += 20 * time.Minute
			disturb(&c.seen.Secret)
			c.ring = c.plan().Next
			c.now += time.Hour
			c.ring = c.plan().Next
			c.wantPublished("k1", "k2", "k3")
			c.write()
			c.settle()
			c.pass(removal - time.Second)
			if c.ring.PublishedIDs()[0] != "k1" {
				t.Error("k1 was removed while tokens of it live")
			}
			c.pass(time.Second)
			if c.ring.PublishedIDs()[0] == "k1" {
				t.Error("k1 is published for ever")
			}
		})
	}
}

// A Secret that was deleted and created again may have been missing for hours, unseen: issuers went on with older files.
func TestSecretThatWasMissingMeanwhileSupersedesAnew(t *testing.T) {
	s := ready(t)
	s.seen.Secret.ID = "first"
	s.pass(time.Hour)
	s.wantActive("k2")
	s.now += 25 * time.Minute
	s.seen.Secret.ID = "second"
	s.settle()
	if at := s.ring.Keys[0].SupersededAt; !at.Equal(s.time()) {
		t.Errorf("k1 is superseded at %v, want %v", at, s.time())
	}
	s.pass(26*time.Minute - time.Second)
	s.wantPublished("k1", "k2", "k3")
	s.pass(time.Second)
	s.wantPublished("k2", "k3")
}

// A signing-key Secret that was made before the key was retired proves nothing, whoever it says signs.
func TestOlderSecretDoesNotSupersede(t *testing.T) {
	s := ready(t)
	s.now = time.Hour
	s.ring = s.plan().Next // k1 is Retired, k2 Active; the Secret is not written
	s.wantActive("k2")
	s.seen.Secret.ActiveID = "" // a draining Secret of an earlier life
	s.ring = s.plan().Next
	if at := s.ring.Keys[0].SupersededAt; s.ring.Keys[0].ID != "k1" || !at.IsZero() {
		t.Errorf("k1 is superseded at %v", at)
	}
}

func TestScheduleCountsFromWhenTheKeyWasSeenToSign(t *testing.T) {
	s := ready(t)
	s.now = time.Hour
	s.ring = s.plan().Next
	s.wantActive("k2") // and its Secret is not written for hours
	s.now = 4 * time.Hour
	s.ring = s.plan().Next
	s.wantActive("k2")
	if d := s.plan(); d.Rotation.Blocked != rotation.NotSigning {
		t.Errorf("the next rotation is %+v", d.Rotation)
	}
	s.write()
	s.settle()
	s.pass(59 * time.Minute)
	s.wantActive("k2")
	s.pass(time.Minute)
	s.wantActive("k3")
}

func TestLongestLifetimeCounts(t *testing.T) {
	s := ready(t)
	s.policy.MaxLifetime = 30 * time.Minute
	s.settle()
	s.policy.MaxLifetime = time.Minute
	s.settle()
	s.pass(time.Hour)
	s.wantActive("k2")
	s.pass(45 * time.Minute)
	if s.ring.PublishedIDs()[0] != "k1" {
		t.Error("a token of 30 minutes that k1 signed is rejected")
	}
	s.pass(time.Minute)
	if s.ring.PublishedIDs()[0] == "k1" {
		t.Error("k1 stays for longer than its longest token")
	}
}

func TestRequests(t *testing.T) {
	s := ready(t)
	s.now = 20 * time.Minute
	s.policy.RotateRequested = s.time().Add(time.Hour)
	s.settle()
	s.wantActive("k1") // it is from the future
	if wake := s.plan().Wake; !wake.Equal(epoch.Add(time.Hour)) {
		t.Errorf("the next look is at %v", wake)
	}
	s.policy.RotateRequested = s.time()
	s.settle()
	s.wantActive("k2")
	s.settle()
	s.policy.RotateRequested = s.time().Add(-time.Minute) // older than the handled one
	s.pass(17 * time.Minute)
	s.wantActive("k2")
	s.policy.RotateRequested = s.time()
	s.settle()
	s.wantActive("k3")
}

// A rotation that happens before the time of a request does not answer it.
func TestRequestFromTheFutureWaitsForItsTime(t *testing.T) {
	s := ready(t)
	s.policy.RotateRequested = epoch.Add(90 * time.Minute)
	s.pass(90*time.Minute - time.Second)
	s.wantActive("k2")
	s.pass(time.Second)
	s.wantActive("k3")
	s.pass(30 * time.Minute)
	s.wantActive("k3")
}

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

func TestDeletionTakesAllKeysAwayAndEndsAfterThePropagationDelay(t *testing.T) {
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
	s.pass(s.policy.PropagationDelay - time.Nanosecond)
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
	s.pass(s.policy.PropagationDelay)
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
			return s.ring.EndedAt.Add(s.policy.PropagationDelay)
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

func TestDeletionEndsWithoutATargetThatRefuses(t *testing.T) {
	s := newShell(t)
	s.policy.WaitForTargets = time.Hour
	s.settle()
	s.policy.Deleting, s.seen.Holders = true, 1
	s.settle()
	s.pass(time.Hour + s.policy.PropagationDelay - time.Nanosecond)
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
	s.seen.Given = map[string]time.Time{s.ring.Standby().ID: given}
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
