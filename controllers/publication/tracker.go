package publication

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/desired"
)

// Tracker watches ConfigMaps and records when targets got each key. Otherwise a file could lose a key and get it back
// unnoticed between two reconciliations, and a Standby would be activated that some pod does not have.
//
// The records are in memory. After a restart, a Standby waits again, unless the keyring proves that no file changed.
type Tracker struct {
	now func() time.Time

	mu sync.Mutex
	// since is when this process began to watch.
	since  time.Time
	byName map[string]*publications
	files  KeyIDs
}

// publications has the records of one SigningKey.
type publications struct {
	// arrivedAt is when a target last got each key, and recently has the latest arrivals.
	arrivedAt map[string]time.Time
	recently  []arrival
	// proven are the keys that every target had before this process began to watch.
	proven map[string]bool
	// proofRead is set once the proof in the keyring was compared.
	proofRead bool
	// handedOver is when this process first gave each key to the distribution.
	handedOver map[string]time.Time
	// lost are the namespaces whose ConfigMap had the file and was deleted. Their running pods still have it.
	lost map[string]bool
	// deselected is when this process saw that a namespace is no longer selected, by namespace.
	deselected map[string]time.Time
	// leftBehind has the namespaces that rotations no longer wait for, and since when each holds the current keys, or
	// zero.
	leftBehind map[string]time.Time
	// checkTook is how long the last check of all targets took.
	checkTook time.Duration
}

// arrival is the event that a namespace got a key.
type arrival struct {
	namespace string
	at        time.Time
}

const (
	// trackedFor is how long an arrival is recorded. All waits that depend on it are shorter.
	trackedFor = 48 * time.Hour
	// maxRecent is how many of the latest arrivals are recorded with their namespace.
	maxRecent = 64
)

// NewTracker returns a tracker without records.
func NewTracker(now func() time.Time) *Tracker {
	return &Tracker{now: now, since: now(), byName: map[string]*publications{}, files: KeyIDs{}}
}

// of returns the publications of one SigningKey. The caller holds the lock.
func (t *Tracker) of(name string) *publications {
	p := t.byName[name]
	if p == nil {
		p = &publications{
			arrivedAt: map[string]time.Time{}, proven: map[string]bool{}, handedOver: map[string]time.Time{}, lost: map[string]bool{},
			deselected: map[string]time.Time{}, leftBehind: map[string]time.Time{},
		}
		t.byName[name] = p
	}
	return p
}

// HeldSince returns when an awaited target last got each key, or when this process began to watch.
func (t *Tracker) HeldSince(name string, ids []string) map[string]time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.of(name)
	out := make(map[string]time.Time, len(ids))
	for _, id := range ids {
		if !p.proven[id] {
			out[id] = t.since
		}
		if at := p.arrivedAt[id]; at.After(out[id]) {
			out[id] = at
		}
	}
	return out
}

// Resume compares the recorded proof of a Standby with the first digest that this process observes. If they are equal,
// no file changed since, and every target has the key.
func (t *Tracker) Resume(name, id, recorded, seen string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.of(name)
	if !p.proofRead && recorded != "" && recorded == seen {
		p.proven[id] = true
	}
	p.proofRead = true
}

// HandOver records that the distribution got these keys, which are all published ones, and that the issuers serve them.
func (t *Tracker) HandOver(name string, ids []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.of(name)
	maps.DeleteFunc(p.handedOver, func(id string, _ time.Time) bool { return !slices.Contains(ids, id) })
	maps.DeleteFunc(p.proven, func(id string, _ bool) bool { return !slices.Contains(ids, id) })
	for _, id := range ids {
		if p.handedOver[id].IsZero() {
			p.handedOver[id] = t.now()
		}
	}
}

// HandedOver returns when this process first gave each key to the distribution.
func (t *Tracker) HandedOver(name string) map[string]time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.of(name).handedOver)
}

// watching records that the watch now shows the current state. Earlier changes are not known.
func (t *Tracker) watching() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.since = t.now()
}

// Forget removes the records of a name without a SigningKey.
func (t *Tracker) Forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byName, name)
}

// Changed records the difference of two versions of a ConfigMap. before is nil if it was created.
func (t *Tracker) Changed(before, after *corev1.ConfigMap) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if before == nil || before.UID != after.UID {
		before = &corev1.ConfigMap{}
	}
	records, earlier := desired.RecordsOf(after), desired.RecordsOf(before)
	for file := range before.Data {
		if _, exists := after.Data[file]; !exists {
			t.lose(after.Namespace, file, before.Data[file], earlier)
		}
	}
	for file, content := range after.Data {
		if name, ok := strings.CutSuffix(file, contract.JWKSSuffix); ok {
			held, existed := before.Data[file]
			t.fileChanged(name, after.Namespace, version{held, existed, earlier[name]}, version{content, true, records[name]})
		}
	}
}

// version is one version of a key set.
type version struct {
	content string
	exists  bool
	record  desired.Record
}

// fileChanged records the keys that a file got. If the watch missed versions in between, which Record.Writes shows,
// every key of the file may have arrived with the last one.
func (t *Tracker) fileChanged(name, namespace string, before, after version) {
	p := t.of(name)
	since := after.record.Writes - before.record.Writes
	missed := since < 0 || since > 1 || p.lost[namespace]
	delete(p.lost, namespace)
	switch {
	case missed:
		before.content = ""
	case before.content == after.content && before.exists:
		return
	case !before.exists || before.record.TakenAwayAt != nil:
		return // the first version, or the first after a tombstone: no pod has an older key set
	}
	had := t.files.Of(before.content)
	for _, id := range t.files.Of(after.content) {
		if !slices.Contains(had, id) {
			p.arrived(namespace, id, t.now())
		}
	}
}

// arrived records that a namespace got a key. One that was left behind delays no rotation.
func (p *publications) arrived(namespace, id string, now time.Time) {
	if _, left := p.leftBehind[namespace]; left {
		p.leftBehind[namespace] = now
		return
	}
	maps.DeleteFunc(p.arrivedAt, func(_ string, at time.Time) bool { return now.Sub(at) > trackedFor })
	p.arrivedAt[id] = now
	p.recently = slices.DeleteFunc(p.recently, func(a arrival) bool { return a.namespace == namespace })
	if p.recently = append(p.recently, arrival{namespace, now}); len(p.recently) > maxRecent {
		p.recently = slices.Delete(p.recently, 0, 1)
	}
}

// Deleted records that a ConfigMap was deleted. Running pods may still have its files.
func (t *Tracker) Deleted(cm *corev1.ConfigMap) {
	t.mu.Lock()
	defer t.mu.Unlock()
	records := desired.RecordsOf(cm)
	for file, content := range cm.Data {
		t.lose(cm.Namespace, file, content, records)
	}
}

// lose records that a file was deleted, unless it was a tombstone of the controller, which no pod depends on.
func (t *Tracker) lose(namespace, file, content string, records map[string]desired.Record) {
	name, ok := strings.CutSuffix(file, contract.JWKSSuffix)
	if ok && (!issuerfiles.TrustsNobody(content) || records[name].TakenAwayAt == nil) {
		t.of(name).lost[namespace] = true
	}
}

// WasLost reports whether running pods of a namespace may have mounted a file whose ConfigMap is gone.
func (t *Tracker) WasLost(name, namespace string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.of(name).lost[namespace]
}

// NamespaceDeleted removes the records of a namespace that no longer exists.
func (t *Tracker) NamespaceDeleted(namespace string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.byName {
		delete(p.lost, namespace)
		delete(p.deselected, namespace)
		delete(p.leftBehind, namespace)
	}
}

// DeselectedSince returns when this process saw that a namespace is no longer selected. A namespace that refuses its
// ConfigMap has no record of it.
func (t *Tracker) DeselectedSince(name, namespace string, selected bool) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.of(name)
	if selected {
		delete(p.deselected, namespace)
		return time.Time{}
	}
	if p.deselected[namespace].IsZero() {
		p.deselected[namespace] = t.now()
	}
	return p.deselected[namespace]
}

// KeyIDs caches the kids of a few JWKS. The files of all namespaces are nearly always the same.
type KeyIDs map[string][]string

// Of returns the kids of a JWKS. The caller must not change them.
func (p KeyIDs) Of(jwks string) []string {
	if ids, known := p[jwks]; known {
		return ids
	}
	const most = 64
	if len(p) >= most {
		clear(p)
	}
	ids := issuerfiles.KeyIDs([]byte(jwks))
	p[jwks] = ids
	return ids
}
