package desired_test

import (
	"testing"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/rotation"
)

func TestOlderReadDoesNotReplaceNewerWrite(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	s := desired.NewStore()
	var told int
	s.OnChange(func(bool) { told++ })
	s.Set("a", desired.Projection{Generation: 8, Confirmed: at(20)})
	s.Set("a", desired.Projection{Generation: 7, Confirmed: at(10)}) // read before the write, but stored later
	if p, _ := s.Get("a"); p.Generation != 8 || told != 1 {
		t.Errorf("generation %d, told %d times", p.Generation, told)
	}
	s.Set("a", desired.Projection{Generation: 7, Confirmed: at(30)}) // read later: the keyring was restored
	if p, _ := s.Get("a"); p.Generation != 7 || told != 2 {
		t.Errorf("generation %d, told %d times", p.Generation, told)
	}
	s.Set("a", desired.Projection{Generation: 7, Confirmed: at(40)})
	if told != 2 {
		t.Error("being confirmed is no change")
	}
	s.Drop("a")
	s.Drop("a")
	if _, ok := s.Get("a"); ok || told != 3 {
		t.Errorf("dropped: %v, told %d times", ok, told)
	}
}

func TestRevocationsAreUrgent(t *testing.T) {
	s := desired.NewStore()
	var urgent []bool
	s.OnChange(func(u bool) { urgent = append(urgent, u) })
	s.Set("a", desired.Projection{Generation: 1})
	s.Set("a", desired.Projection{Generation: 2})
	s.Set("a", desired.Projection{Generation: 3, Revoked: []string{"k"}})
	if len(urgent) != 3 || urgent[0] || urgent[1] || !urgent[2] {
		t.Errorf("urgent: %v", urgent)
	}
}

func TestProjectionNamesWhatIsRevoked(t *testing.T) {
	ring := rotation.Keyring{Generation: 4, Revoked: []rotation.Revocation{{ID: "k"}}}
	if p := desired.New(&ring, rotation.Policy{}, issuerfiles.Revoked{}, time.Time{}); len(p.Revoked) != 1 || p.Revoked[0] != "k" || p.Generation != 4 {
		t.Errorf("projection %+v", p)
	}
}

// A SigningKey takes its name from a TrustedIssuer, and neither kind drops the other.
func TestSigningKeyHasPrecedenceOverTrustedIssuer(t *testing.T) {
	s := desired.NewStore()
	foreign := desired.Projection{Foreign: true, Generation: 1 << 40, Confirmed: time.Unix(30, 0)}
	own := desired.Projection{Generation: 1, Confirmed: time.Unix(20, 0)}
	is := func(what string, want bool) {
		t.Helper()
		if p, ok := s.Get("a"); !ok || p.Foreign != want {
			t.Errorf("%s: foreign %v, there %v", what, p.Foreign, ok)
		}
	}
	s.Set("a", foreign)
	s.Set("a", own)
	is("a SigningKey that came second", false)
	s.Set("a", foreign)
	is("a TrustedIssuer that came second", false)
	s.Retract("a")
	is("a TrustedIssuer that is gone", false)
	s.Drop("a")
	s.Set("a", foreign)
	s.Drop("a")
	is("a SigningKey that is gone", true)
	s.Retract("a")
	if !s.None() {
		t.Error("it is still there")
	}
}
