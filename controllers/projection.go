package controllers

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/rotation"
)

// keyFiles are the two files of one SigningKey in a ConfigMap.
type keyFiles struct {
	// keySet is the JWKS, revoked the revocation list.
	keySet, revoked string
}

// filesOf projects a keyring. alsoRevoked are revoked keys that the keyring does not record, because it cannot be written.
func filesOf(ring *rotation.Keyring, p rotation.Policy, alsoRevoked []string) keyFiles {
	revoked := revokedIDs(ring, alsoRevoked)
	var keys []issuerfiles.PublicKey
	for _, k := range ring.PublishedKeys() {
		if !slices.Contains(revoked, k.ID) {
			keys = append(keys, issuerfiles.PublicKey{ID: k.ID, JWK: k.Public})
		}
	}
	return keyFiles{
		keySet:  string(issuerfiles.EncodeKeySet(tombstoneAlgorithm(ring, p), keys)),
		revoked: string(issuerfiles.Revoked{KeyIDs: revoked}.Encode()),
	}
}

// tombstoneAlgorithm is that of the keys that were there: some libraries refuse a set with a key of a type that they do not know.
func tombstoneAlgorithm(ring *rotation.Keyring, p rotation.Policy) string {
	if spec := ring.KeySpec(); spec.Algorithm != "" {
		return spec.Algorithm
	}
	return p.Algorithm
}

func revokedIDs(ring *rotation.Keyring, also []string) []string {
	ids := slices.Clone(also)
	for i := range ring.Revoked {
		if !slices.Contains(ids, ring.Revoked[i].ID) {
			ids = append(ids, ring.Revoked[i].ID)
		}
	}
	return ids
}

// projection is what the distribution knows of one SigningKey: what its files must be, and where.
type projection struct {
	// generation of the keyring that the files were made from.
	generation int64
	files      keyFiles
	// tombstone is the key set of a namespace that is to trust nobody any more.
	tombstone string
	// revoked keys must be in no file, whatever else holds.
	revoked []string
	// selector selects the targets. It is nil for a keyring that was retained, when nobody is given the files anew, and while the
	// spec's selector is invalid: the keyring then counts wherever its file stands.
	selector labels.Selector
	// keyNamespace is a target whatever the selector says, empty if there are no targets.
	keyNamespace string
	// keepFor is how long a namespace that is no longer selected keeps its file.
	keepFor time.Duration
	// frozen leaves every key set as it is, but for revoked keys: the keyring cannot be trusted or read.
	frozen bool
	// confirmed is when the keyring was last read from the API server itself.
	confirmed time.Time
}

// newProjection projects a keyring that was just read or written. alsoRevoked are revoked keys that it does not record.
func newProjection(ring *rotation.Keyring, policy rotation.Policy, alsoRevoked []string, now time.Time) projection {
	return projection{
		generation: ring.Generation, files: filesOf(ring, policy, alsoRevoked), revoked: revokedIDs(ring, alsoRevoked),
		tombstone: string(issuerfiles.Tombstone(tombstoneAlgorithm(ring, policy))), confirmed: now,
	}
}

// frozenProjection leaves what stands as it is, but for revoked keys.
func frozenProjection(revoked []string, keyNamespace string, now time.Time) projection {
	return projection{
		frozen: true, revoked: revoked, keyNamespace: keyNamespace, confirmed: now,
		files: keyFiles{revoked: string(issuerfiles.Revoked{KeyIDs: revoked}.Encode())},
	}
}

// selects reports whether a namespace is a target.
func (p *projection) selects(namespace string, of labels.Set) bool {
	return p.keyNamespace != "" && namespace == p.keyNamespace || p.selector != nil && p.selector.Matches(of)
}

// same reports whether two projections ask for the same files. Being confirmed again changes nothing.
func (p projection) same(o projection) bool {
	return p.generation == o.generation && p.files == o.files && p.tombstone == o.tombstone && p.keepFor == o.keepFor &&
		p.frozen == o.frozen && p.keyNamespace == o.keyNamespace && slices.Equal(p.revoked, o.revoked) &&
		selectorString(p.selector) == selectorString(o.selector)
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
		changed(len(p.revoked) > len(old.revoked) || issuerfiles.TrustsNobody(p.files.keySet))
	}
}

// replace stores a projection in place of the one that it was made from. If another one came meanwhile, that one stays: it is of a
// later reading, and may know of revocations that no keyring records.
func (s *Projections) replace(name string, was, p projection) {
	s.mu.Lock()
	old, had := s.byName[name]
	if !had || !old.confirmed.Equal(was.confirmed) || !old.same(was) {
		s.mu.Unlock()
		return
	}
	s.byName[name] = p
	changed := s.changed
	s.mu.Unlock()
	if !old.same(p) {
		changed(issuerfiles.TrustsNobody(p.files.keySet))
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

// none reports whether there is no projection.
func (s *Projections) none() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.byName) == 0
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
