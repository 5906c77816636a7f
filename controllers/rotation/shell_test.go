package rotation_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/controllers/rotation"
)

// shell is a controller to which nothing ever happens: what it writes stands at once. Tests use it to lead a keyring to
// where they want it, then give Plan what they like.
type shell struct {
	testing.TB
	now    time.Duration
	policy rotation.Policy
	ring   rotation.Keyring
	seen   rotation.Observed
	keys   int
	trace  []string
	// secrets are all versions of the signing-key Secret.
	secrets []secretAt
}

// secretAt is what issuers seal and open with from a time on.
type secretAt struct {
	at       time.Duration
	sealing  []int64
	inUse    int64
	lifetime time.Duration
}

func newShell(t testing.TB) *shell {
	t.Helper()
	return &shell{TB: t, policy: rotation.Policy{
		KeySpec: rotation.KeySpec{Algorithm: "ES256"}, Interval: time.Hour, MaxLifetime: 10 * time.Minute,
		ClockSkew: time.Minute, PropagationDelay: 15 * time.Minute,
	}}
}

func (s *shell) time() time.Time { return epoch.Add(s.now) }

// plan plans with what is seen now.
func (s *shell) plan() rotation.Decision {
	seen := s.seen
	if seen.At.IsZero() {
		seen.At = s.time()
	}
	return rotation.Plan(s.time(), s.policy, s.ring, seen)
}

// settle plans and writes until nothing changes.
func (s *shell) settle() {
	s.Helper()
	for range 10 {
		d := s.plan()
		if d.Wanted != nil {
			s.keys++
			id := fmt.Sprintf("k%d", s.keys)
			d.Prepare(s.time(), rotation.Material{ID: id, Public: []byte(`{}`), Private: []byte(`{"d":"` + id + `"}`)})
		}
		if d.WantedSealing {
			d.PrepareSealing(s.time(), make(rotation.SealingSecret, rotation.SealingSecretBytes), s.policy)
		}
		for _, m := range d.Moves {
			line := fmt.Sprintf("%8s %-8s %s  %s", s.now, m.Kind, m.KeyID, m.Reason)
			if m.Early {
				line += ", early"
			}
			s.trace = append(s.trace, line)
		}
		same := d.Next.Equal(s.ring)
		s.ring = d.Next
		s.write()
		if same {
			return
		}
	}
	s.Fatalf("it does not settle:\n%s", strings.Join(s.trace, "\n"))
}

// write brings the signing-key Secret up to the keyring.
func (s *shell) write() {
	s.seen.Secret = rotation.Secret{Present: true, ID: s.seen.Secret.ID, Generation: s.ring.Generation, Published: s.ring.PublishedIDs()}
	if a := s.ring.Active(); a != nil {
		s.seen.Secret.ActiveID = a.ID
	}
	for i := range s.ring.Sealing {
		s.seen.Secret.Sealing = append(s.seen.Secret.Sealing, s.ring.Sealing[i].Number)
	}
	if k := s.ring.SealingInUse(); k != nil {
		s.seen.Secret.SealingInUse = k.Number
	}
	s.secrets = append(s.secrets, secretAt{at: s.now, sealing: s.seen.Secret.Sealing, inUse: s.seen.Secret.SealingInUse, lifetime: s.ring.IssuingPolicy(s.policy).MaxRefreshLifetime})
}

// pass lets time pass, planning whenever the last decision asked for it.
func (s *shell) pass(d time.Duration) {
	s.Helper()
	for end := s.now + d; ; s.settle() {
		wake := s.plan().Wake
		if wake.IsZero() || wake.After(epoch.Add(end)) {
			s.now = end
			s.settle()
			return
		}
		s.now = max(s.now, wake.Sub(epoch))
	}
}

func (s *shell) active() string {
	if a := s.ring.Active(); a != nil {
		return a.ID
	}
	return ""
}

func (s *shell) wantActive(id string) {
	s.Helper()
	if s.active() != id {
		s.Fatalf("at %v %q signs, want %q:\n%s", s.now, s.active(), id, strings.Join(s.trace, "\n"))
	}
}

func (s *shell) wantPublished(ids ...string) {
	s.Helper()
	if got := s.ring.PublishedIDs(); !slices.Equal(got, ids) {
		s.Fatalf("at %v %v are published, want %v:\n%s", s.now, got, ids, strings.Join(s.trace, "\n"))
	}
}
