package desired

import (
	"slices"
	"sync"

	"github.com/keywright/keywright/api/issuerfiles"
)

// Store hands what the signingkey and the trustedissuer controllers decide to the distribution controller, within one process. Nothing
// in it is a truth: a restart fills it again from the keyrings.
type Store struct {
	mu     sync.RWMutex
	byName map[string]Projection
	// changed are called without the lock when files must change.
	changed []func(urgent bool)
}

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{byName: map[string]Projection{}}
}

// OnChange adds what is called when files must change. urgent changes, revocations, go first.
func (s *Store) OnChange(f func(urgent bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = append(s.changed, f)
}

// tell says that files must change.
func (s *Store) tell(urgent bool) {
	s.mu.RLock()
	changed := slices.Clone(s.changed)
	s.mu.RUnlock()
	for _, f := range changed {
		f(urgent)
	}
}

// Set stores a projection. A lower generation of a keyring that was not read later does not replace a higher one. A SigningKey takes
// the place of a TrustedIssuer of its name, never the other way round.
func (s *Store) Set(name string, p Projection) {
	s.mu.Lock()
	old, had := s.byName[name]
	older := p.Generation < old.Generation && p.Confirmed.Before(old.Confirmed)
	if had && (p.Foreign && !old.Foreign || p.Foreign == old.Foreign && older) {
		s.mu.Unlock()
		return
	}
	s.byName[name] = p
	s.mu.Unlock()
	if !had || !old.same(p) {
		s.tell(len(p.Revoked) > len(old.Revoked) || had && p.Files.Revoked != old.Files.Revoked || issuerfiles.TrustsNobody(p.Files.KeySet))
	}
}

// Replace stores a projection in place of the one that it was made from. If another one came meanwhile, that one stays, and the result is false:
// it may know of revocations that no keyring records, and it may be of an older reading, by a reconciliation that was held up.
func (s *Store) Replace(name string, was, p Projection) bool {
	s.mu.Lock()
	old, had := s.byName[name]
	if !had || !old.Confirmed.Equal(was.Confirmed) || !old.same(was) {
		s.mu.Unlock()
		return false
	}
	s.byName[name] = p
	s.mu.Unlock()
	if !old.same(p) {
		s.tell(issuerfiles.TrustsNobody(p.Files.KeySet))
	}
	return true
}

// Drop forgets a name that has neither SigningKey nor keyring, and Retract one that has no TrustedIssuer. Neither touches the other kind.
func (s *Store) Drop(name string) { s.drop(name, false) }

// Retract is Drop for a TrustedIssuer.
func (s *Store) Retract(name string) { s.drop(name, true) }

func (s *Store) drop(name string, foreign bool) {
	s.mu.Lock()
	p, had := s.byName[name]
	if had = had && p.Foreign == foreign; had {
		delete(s.byName, name)
	}
	s.mu.Unlock()
	if had {
		s.tell(false)
	}
}

// Get returns the projection of one SigningKey, and whether there is one.
func (s *Store) Get(name string) (Projection, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, ok := s.byName[name]
	return p, ok
}

// None reports whether there is no projection.
func (s *Store) None() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.byName) == 0
}

// All returns every projection by name. The map is the caller's.
func (s *Store) All() map[string]Projection {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make(map[string]Projection, len(s.byName))
	for name, p := range s.byName {
		all[name] = p
	}
	return all
}
