package controllers

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/keywright/keywright/controllers/rotation"
)

// projection is what the distribution knows of one SigningKey: what its file must be, and where.
type projection struct {
	// generation of the keyring that jwks was made from.
	generation int64
	jwks       string
	keyIDs     []string
	// revoked keys must be in no file, whatever else holds.
	revoked []string
	// selector selects the targets. It is nil for a keyring that was retained, and while the spec's selector is invalid: the
	// keyring then counts wherever its file stands.
	selector labels.Selector
	// keepFor is how long a namespace that is no longer selected keeps its file.
	keepFor time.Duration
	// frozen leaves every file as it is, but for revoked keys: the keyring cannot be trusted or read.
	frozen bool
	// gone takes the file away everywhere: the SigningKey was deleted and drained.
	gone bool
	// confirmed is when the keyring was last read from the API server itself.
	confirmed time.Time
}

// newProjection projects a keyring that was just read or written.
func newProjection(ring *rotation.Keyring, now time.Time) projection {
	p := projection{
		generation: ring.Generation, jwks: string(ring.JWKS()), keyIDs: ring.PublishedIDs(), confirmed: now,
	}
	for _, v := range ring.Revoked {
		p.revoked = append(p.revoked, v.ID)
	}
	return p
}

// same tells whether two projections ask for the same files. Being confirmed again changes nothing.
func (p projection) same(o projection) bool {
	return p.generation == o.generation && p.jwks == o.jwks && p.keepFor == o.keepFor && p.frozen == o.frozen &&
		p.gone == o.gone && slices.Equal(p.revoked, o.revoked) && selectorString(p.selector) == selectorString(o.selector)
}

func selectorString(s labels.Selector) string {
	if s == nil {
		return "retained"
	}
	return "selected:" + s.String()
}

// Projections hands what the signingkey controller decides to the distribution controller, within one process. Nothing
// in it is a truth: a restart fills it again from the keyrings.
type Projections struct {
	mu     sync.RWMutex
	byName map[string]projection
	// changed is called without the lock when files must change.
	changed func(urgent bool)
}

// NewProjections returns an empty store.
func NewProjections() *Projections {
	return &Projections{byName: map[string]projection{}, changed: func(bool) {}}
}

// onChange sets what is called when files must change. urgent changes, revocations, go first.
func (s *Projections) onChange(f func(urgent bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = f
}

// set stores the projection of one SigningKey. A lower generation of a keyring that was not read later does not replace
// a higher one.
func (s *Projections) set(name string, p projection) {
	s.mu.Lock()
	old, had := s.byName[name]
	if had && p.generation < old.generation && p.confirmed.Before(old.confirmed) {
		s.mu.Unlock()
		return
	}
	s.byName[name] = p
	changed := s.changed
	s.mu.Unlock()
	if !had || !old.same(p) {
		changed(len(p.revoked) > len(old.revoked))
	}
}

// drop forgets a name that has neither SigningKey nor keyring.
func (s *Projections) drop(name string) {
	s.mu.Lock()
	_, had := s.byName[name]
	delete(s.byName, name)
	changed := s.changed
	s.mu.Unlock()
	if had {
		changed(false)
	}
}

func (s *Projections) get(name string) (projection, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, ok := s.byName[name]
	return p, ok
}

// all returns every projection by name. The map is the caller's.
func (s *Projections) all() map[string]projection {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make(map[string]projection, len(s.byName))
	for name, p := range s.byName {
		all[name] = p
	}
	return all
}
