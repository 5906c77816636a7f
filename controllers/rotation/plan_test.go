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

// A target that lost the Standby and got it back between two plans shows in HeldSince alone.
func TestStandbyWaitsFromWhenATargetWasLastGivenIt(t *testing.T) {
	s := ready(t)
	s.seen.HeldSince = map[string]time.Time{"k2": epoch.Add(50 * time.Minute)}
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
func TestMissingSecretRestartsTheRetirement(t *testing.T) {
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
