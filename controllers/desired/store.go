package desired

import (
	"slices"
	"sync"

	"github.com/keywright/keywright/api/issuerfiles"
)

// Store passes projections from the signingkey and trustedissuer controllers to the distribution controller, within one
// process. After a restart it is filled again from the keyrings.
type Store struct {
	mu     sync.RWMutex
	byName map[string]Projection
	// changed are called without the lock if files must change.
	changed []func(urgent bool)
}

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{byName: map[string]Projection{}}
}

// OnChange adds a function that is called if files must change. urgent is set for revocations, which are written first.
func (s *Store) OnChange(f func(urgent bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = append(s.changed, f)
}

// notify calls the functions of OnChange.
func (s *Store) notify(urgent bool) {
	s.mu.RLock()
	changed := slices.Clone(s.changed)
	s.mu.RUnlock()
	for _, f := range changed {
		f(urgent)
	}
}

// Set stores a projection. A lower generation replaces a higher one only if it was read later. A SigningKey replaces a
// TrustedIssuer of the same name, but not the reverse.
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
		s.notify(len(p.Revoked) > len(old.Revoked) || had && p.Files.Revoked != old.Files.Revoked || issuerfiles.TrustsNobody(p.Files.KeySet))
	}
}

// Replace stores a projection in place of was, from which it was made. If another one was stored meanwhile, it returns
// false and changes nothing: that one may have revocations that are not in the keyring, or be from an older reading.
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
		s.notify(issuerfiles.TrustsNobody(p.Files.KeySet))
	}
	return true
}

// Drop removes the projection of a SigningKey that has neither object nor keyring.
func (s *Store) Drop(name string) { s.drop(name, false) }

// Retract removes the projection of a TrustedIssuer.
func (s *Store) Retract(name string) { s.drop(name, true) }

func (s *Store) drop(name string, foreign bool) {
	s.mu.Lock()
	p, had := s.byName[name]
	if had = had && p.Foreign == foreign; had {
		delete(s.byName, name)
	}
	s.mu.Unlock()
	if had {
		s.notify(false)
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

// All returns a copy of all projections, by name.
func (s *Store) All() map[string]Projection {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make(map[string]Projection, len(s.byName))
	for name, p := range s.byName {
		all[name] = p
	}
	return all
}
