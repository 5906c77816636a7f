package rotation_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/keywright/keywright/controllers/rotation"
)

func newSessions(t testing.TB) *shell {
	t.Helper()
	s := newShell(t)
	s.policy.MaxRefreshLifetime, s.policy.MaxSessionLifetime = 12*time.Hour, 720*time.Hour
	s.settle()
	return s
}

func (s *shell) wantSealing(what string, keys int, inUse int) {
	s.Helper()
	ring := s.ring.Sealing
	used := 0
	if k := s.ring.SealingInUse(); k != nil {
		used = 1 + slices.IndexFunc(ring, func(o rotation.SealingKey) bool { return o.Number == k.Number })
	}
	if len(ring) != keys || used != inUse {
		s.Fatalf("%s, at %v: %d sealing keys, the one in use is number %d, want %d and %d", what, s.now, len(ring), used, keys, inUse)
	}
}

// Without sessions there is no sealing key, and what there was goes at once.
func TestSealingKeysNeedSessions(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.pass(10 * time.Hour)
	s.wantSealing("without sessions", 0, 0)
	s.policy.MaxRefreshLifetime, s.policy.MaxSessionLifetime = time.Hour, time.Hour
	s.settle()
	s.wantSealing("with sessions", 1, 1)
	if p := s.ring.IssuingPolicy(s.policy); p.MaxRefreshLifetime != time.Hour || p.MaxSessionLifetime != time.Hour {
		t.Errorf("%+v", p)
	}
	s.policy.MaxRefreshLifetime = 2 * time.Hour
	s.settle()
	if p := s.ring.IssuingPolicy(s.policy); p.MaxRefreshLifetime != 2*time.Hour {
		t.Errorf("a longer lifetime: %+v", p)
	}
	for name, end := range map[string]func(*rotation.Policy){
		"sessions are taken away": func(p *rotation.Policy) { p.MaxRefreshLifetime, p.MaxSessionLifetime = 0, 0 },
		"drained":                 func(p *rotation.Policy) { p.Draining = true },
		"deleted":                 func(p *rotation.Policy) { p.Deleting = true },
	} {
		before, policy := s.ring.Clone(), s.policy
		end(&s.policy)
		generation := s.ring.Generation
		s.settle()
		s.wantSealing(name, 0, 0)
		if p := s.ring.IssuingPolicy(s.policy); p.MaxRefreshLifetime != 0 || s.ring.Generation <= generation {
			t.Errorf("%s: %+v, generation %d after %d", name, p, s.ring.Generation, generation)
		}
		s.ring, s.policy = before, policy
		s.write()
	}
}

// The first key is used at once, the next one when every issuer has it, and the last one stays until its last token has expired.
func TestSealingKeyIsReplaced(t *testing.T) {
	t.Parallel()
	s := newSessions(t)
	s.wantSealing("at start", 1, 1)
	s.policy.Manual = true
	s.pass(29*24*time.Hour - 15*time.Minute - time.Second)
	s.wantSealing("before it is due", 1, 1)
	s.pass(time.Second)
	s.wantSealing("due", 2, 1)
	s.pass(16*time.Minute - time.Second)
	s.wantSealing("published", 2, 1)
	s.pass(time.Second)
	s.wantSealing("used", 2, 2)
	s.pass(12*time.Hour + 16*time.Minute - time.Second)
	s.wantSealing("before the last token has expired", 2, 2)
	s.pass(time.Second)
	s.wantSealing("after it", 1, 1)

	s.policy.RotateRequested = s.time()
	s.settle()
	s.pass(time.Hour)
	s.wantSealing("a rotation replaces it, too", 2, 2)
}

// The next one waits while the Secret lacks it, and the last one stays while it may be in use somewhere.
func TestSealingKeyWaitsForTheSecret(t *testing.T) {
	t.Parallel()
	s := newSessions(t)
	s.policy.Manual = true
	s.pass(29*24*time.Hour - 15*time.Minute)
	s.pass(15 * time.Minute)
	s.wantSealing("published for a while", 2, 1)
	s.seen.Secret = rotation.Secret{}
	s.plan()
	d := s.plan()
	s.ring = d.Next
	s.write()
	s.settle()
	s.pass(15 * time.Minute)
	s.wantSealing("the Secret was away", 2, 1)
	s.pass(time.Minute)
	s.wantSealing("published without a break", 2, 2)
	s.pass(6 * time.Hour)
	s.seen.Secret = rotation.Secret{}
	s.ring = s.plan().Next
	s.write()
	s.settle()
	s.pass(12 * time.Hour)
	s.wantSealing("the Secret was away again", 2, 2)
}

// Whoever had a signing key that is revoked had the sealing keys of its time. A Standby is in no Secret of the issuers.
func TestRevocationReplacesSealingKeys(t *testing.T) {
	t.Parallel()
	revoke := func(s *shell, id string, keep ...string) []rotation.SealingKey {
		before := slices.Clone(s.ring.Sealing)
		s.policy.Revoked, s.policy.KeepSessions = append(s.policy.Revoked, id), keep
		s.settle()
		return before
	}
	same := func(a, b []rotation.SealingKey) bool {
		return slices.EqualFunc(a, b, func(a, b rotation.SealingKey) bool { return a.Number == b.Number })
	}
	s := newSessions(t)
	s.pass(2 * time.Minute)
	if before := revoke(s, s.ring.Standby().ID); !same(before, s.ring.Sealing) {
		t.Errorf("a Standby: %v became %v", before, s.ring.Sealing)
	}
	if id := s.active(); !same(revoke(s, id, id), s.ring.Sealing) {
		t.Error("keepSessions is not heeded")
	}
	s.pass(time.Minute)
	before := revoke(s, s.active())
	s.wantSealing("the Active key", 1, 1)
	if s.ring.Sealing[0].Number <= before[0].Number {
		t.Errorf("%d follows %d", s.ring.Sealing[0].Number, before[0].Number)
	}
	s.pass(2 * time.Hour) // rotations
	retired := s.ring.Keys[slices.IndexFunc(s.ring.Keys, func(k rotation.Key) bool { return k.State == rotation.Retired })]
	if len(s.ring.Sealing) < 2 {
		t.Fatalf("%d sealing keys", len(s.ring.Sealing))
	}
	before = revoke(s, retired.ID)
	for _, k := range before {
		had := !k.PreparedAt.After(retired.SupersededAt)
		if kept := slices.ContainsFunc(s.ring.Sealing, func(o rotation.SealingKey) bool { return o.Number == k.Number }); kept == had {
			t.Errorf("a key of %v beside one that signed until %v: kept %v", k.PreparedAt, retired.SupersededAt, kept)
		}
	}
	if s.ring.SealingInUse() == nil {
		t.Error("nothing seals")
	}
}

// However often a SigningKey rotates, there are few sealing keys.
func TestSealingKeysAreFew(t *testing.T) {
	t.Parallel()
	s := newSessions(t)
	s.policy.MaxRefreshLifetime = 720 * time.Hour
	most := 0
	for range 60 * 24 {
		s.pass(time.Hour)
		most = max(most, len(s.ring.Sealing))
	}
	if most > 20 || most < 10 {
		t.Errorf("%d sealing keys", most)
	}
	for range 100 { // the next ones come faster than the last ones go
		s.policy.MaxRefreshLifetime = time.Hour
		s.pass(time.Hour)
		s.policy.MaxRefreshLifetime = 720 * time.Hour
		s.settle()
		most = max(most, len(s.ring.Sealing))
	}
	if most != rotation.MaxSealingKeys {
		t.Errorf("%d sealing keys", most)
	}
}

// A refresh token that any issuer seals can be opened by every other one until it expires, whichever of their files lag, while lifetimes change,
// the Secret is lost, and keys rotate.
func TestSealedTokensCanBeOpened(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		s := newSessions(t)
		s.policy.MaxRefreshLifetime = 3 * time.Hour
		for range 200 {
			s.pass(time.Duration(random.Int64N(int64(time.Hour))))
			switch random.IntN(8) {
			case 0:
				s.policy.MaxRefreshLifetime = time.Duration(1+random.IntN(6)) * time.Hour
			case 1:
				s.seen.Secret = rotation.Secret{}
				s.ring = s.plan().Next
				s.write()
			case 2:
				s.policy.RotateRequested = s.time()
			}
			s.settle()
		}
		s.checkSealing(seed)
	}
}

func (s *shell) checkSealing(seed uint64) {
	s.Helper()
	lag := s.policy.PropagationDelay
	// what an issuer can have at a time
	seen := func(at time.Duration) []secretAt {
		first := 0
		for i := range s.secrets {
			if s.secrets[i].at <= at-lag {
				first = i
			}
		}
		last := first
		for last < len(s.secrets) && s.secrets[last].at <= at {
			last++
		}
		return s.secrets[first:last]
	}
	for at := time.Duration(0); at < s.now; at += 7 * time.Minute {
		for _, issuer := range seen(at) {
			for _, later := range []time.Duration{0, issuer.lifetime / 2, issuer.lifetime} {
				for _, other := range seen(min(at+later, s.now)) {
					if !slices.Contains(other.sealing, issuer.inUse) {
						s.Fatalf("seed %d: a token that was sealed at %v with %d, for %v, cannot be opened at %v with %v", seed, at, issuer.inUse, issuer.lifetime, at+later, other.sealing)
					}
				}
			}
		}
	}
}
