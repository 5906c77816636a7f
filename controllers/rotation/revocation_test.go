package rotation_test

import (
	"testing"
	"time"

	"github.com/keywright/keywright/controllers/rotation"
)

func TestReceiptFillsAsThingsAreSeen(t *testing.T) {
	s := ready(t)
	s.policy.Revoked = []string{"k1"}
	d := s.plan()
	d.Prepare(s.time(), rotation.Material{ID: "k3", Public: []byte(`{}`), Private: []byte(`{"d":"k3"}`)})
	s.ring = d.Next
	note := func() rotation.Revocation {
		s.now += time.Second
		s.ring = s.plan().Next
		return s.ring.Revoked[0]
	}
	if r := note(); !r.Known || !r.Signed || !r.SigningMovedAt.IsZero() || !r.RemovedAt.IsZero() {
		t.Fatalf("while the Secret holds the key: %+v", r)
	}
	s.write()
	s.seen.Holding = map[string]int{"k1": 1}
	if r := note(); !r.SigningMovedAt.Equal(s.time()) || !r.RemovedAt.IsZero() || !r.EverywhereBy(s.policy).IsZero() {
		t.Fatalf("while one file holds the key: %+v", r)
	}
	s.seen.Holding = nil
	r := note()
	if removed := s.time(); !r.RemovedAt.Equal(removed) || !r.EverywhereBy(s.policy).Equal(removed.Add(s.policy.PropagationDelay)) {
		t.Fatalf("when all files are without it: %+v", r)
	}
	generation := s.ring.Generation
	s.seen.Nudged = map[string]rotation.Nudged{"k1": {At: s.time(), Everywhere: true}}
	r = note()
	if by := r.EverywhereBy(s.policy); !by.After(r.Nudged.At) || by.After(r.Nudged.At.Add(10*time.Second)) {
		t.Errorf("nudged at %v, expected everywhere by %v", r.Nudged.At, by)
	}
	if s.ring.Generation != generation {
		t.Error("a receipt raises the generation, although no key moved")
	}
	if again := note(); again != r {
		t.Errorf("a full receipt changes: %+v, then %+v", r, again)
	}
}

func TestReceiptOfAKeyThatDidNotSign(t *testing.T) {
	s := ready(t)
	s.policy.Revoked = []string{"k2", "unknown"}
	s.settle()
	for _, r := range s.ring.Revoked {
		if r.Signed || !r.SigningMovedAt.IsZero() || r.RemovedAt.IsZero() || r.Known != (r.ID == "k2") {
			t.Errorf("%+v", r)
		}
	}
}

// Nudging the issuer's pods alone promises nothing about the verifiers.
func TestNudgedIssuersPromiseNothing(t *testing.T) {
	s := ready(t)
	at := s.time()
	r := rotation.Revocation{RemovedAt: at, Nudged: rotation.Nudged{At: at}}
	if by := r.EverywhereBy(s.policy); !by.Equal(at.Add(s.policy.PropagationDelay)) {
		t.Errorf("expected everywhere by %v", by)
	}
}
