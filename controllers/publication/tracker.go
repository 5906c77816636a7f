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

// Tracker watches the ConfigMaps and remembers when targets came to hold each key. A file that loses a key and gets it
// back between two looks would otherwise go unnoticed, and a Standby be activated that some pod does not have.
//
// What it knows is this process's: after a restart, a Standby waits again, unless the keyring proves that no file changed.
type Tracker struct {
	now func() time.Time

	mu sync.Mutex
	// since is when this process began to watch. What happened before, it does not know.
	since  time.Time
	byName map[string]*publications
	files  KeyIDs
}

// publications are those of one SigningKey.
type publications struct {
	// came is when a target last came to hold each key, and recently the namespaces of the latest ones.
	came     map[string]time.Time
	recently []arrival
	// proven are the keys that are known to have been everywhere before this process began to watch.
	proven map[string]bool
	// looked is set once the proof was looked at.
	looked bool
	// HandedOver is when this process first gave each key to the distribution.
	handedOver map[string]time.Time
	// lost are the namespaces whose ConfigMap held the file and was deleted: their running pods still have it.
	lost map[string]bool
	// deselected is since when this process has seen that a namespace is no longer selected.
	deselected map[string]time.Time
	// leftBehind is, for each namespace that is no longer awaited, since when it holds the current keys, zero while it does not.
	leftBehind map[string]time.Time
}

// arrival is one: a namespace came to hold a key.
type arrival struct {
	namespace string
	at        time.Time
}

const (
	// trackedFor is how long an arrival is remembered: longer than any wait that goes by it.
	trackedFor = 48 * time.Hour
	// maxRecent is how many of the latest arrivals are remembered by namespace.
	maxRecent = 64
)

// NewTracker returns a tracker that begins now.
func NewTracker(now func() time.Time) *Tracker {
	return &Tracker{now: now, since: now(), byName: map[string]*publications{}, files: KeyIDs{}}
}

// of returns the publications of one SigningKey. The caller holds the lock.
func (t *Tracker) of(name string) *publications {
	p := t.byName[name]
	if p == nil {
		p = &publications{
			came: map[string]time.Time{}, proven: map[string]bool{}, handedOver: map[string]time.Time{}, lost: map[string]bool{},
			deselected: map[string]time.Time{}, leftBehind: map[string]time.Time{},
		}
		t.byName[name] = p
	}
	return p
}

// HeldSince returns for each key when an awaited target last came to hold it, as far as this process can know.
func (t *Tracker) HeldSince(name string, ids []string) map[string]time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.of(name)
	out := make(map[string]time.Time, len(ids))
	for _, id := range ids {
		if !p.proven[id] {
			out[id] = t.since
		}
		if at := p.came[id]; at.After(out[id]) {
			out[id] = at
		}
	}
	return out
}

// Resume compares what the keyring says of a Standby with what this process sees first: if no file changed meanwhile, the key
// stayed where it was.
func (t *Tracker) Resume(name, id, recorded, seen string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.of(name)
	if !p.looked && recorded != "" && recorded == seen {
		p.proven[id] = true
	}
	p.looked = true
}

// HandOver notes that the distribution was given these keys, which are all that are published, and that the issuers serve them.
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

// watching notes that the watch shows the state of now, whatever happened before.
func (t *Tracker) watching() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.since = t.now()
}

// Forget drops a name that nobody asks for any more.
func (t *Tracker) Forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byName, name)
}

// Changed compares two versions of a ConfigMap. before is nil for one that was created.
func (t *Tracker) Changed(before, after *corev1.ConfigMap) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if before == nil || before.UID != after.UID {
		before = &corev1.ConfigMap{}
	}
	records, earlier := desired.RecordsOf(after), desired.RecordsOf(before)
	for file := range before.Data {
		if _, stands := after.Data[file]; !stands {
			t.lose(after.Namespace, file, before.Data[file], earlier)
		}
	}
	for file, content := range after.Data {
		if name, ok := strings.CutSuffix(file, contract.JWKSSuffix); ok {
			held, stood := before.Data[file]
			t.fileChanged(name, after.Namespace, version{held, stood, earlier[name]}, version{content, true, records[name]})
		}
	}
}

// version is one version of a key set.
type version struct {
	content string
	stands  bool
	record  desired.Record
}

// fileChanged notes the keys that a file came to hold. The records say whether there were versions in between that the
// watch did not show: then every key of the file may have come with the last one.
func (t *Tracker) fileChanged(name, namespace string, before, after version) {
	p := t.of(name)
	since := after.record.Writes - before.record.Writes
	missed := since < 0 || since > 1 || p.lost[namespace]
	delete(p.lost, namespace)
	switch {
	case missed:
		before.content = ""
	case before.content == after.content && before.stands:
		return
	case !before.stands || before.record.TakenAwayAt != nil:
		return // its first version, or the first after a tombstone: nobody there relies on another one
	}
	had := t.files.Of(before.content)
	for _, id := range t.files.Of(after.content) {
		if !slices.Contains(had, id) {
			p.arrived(namespace, id, t.now())
		}
	}
}

// arrived notes that a namespace came to hold a key. One that was left behind delays nobody.
func (p *publications) arrived(namespace, id string, now time.Time) {
	if _, left := p.leftBehind[namespace]; left {
		p.leftBehind[namespace] = now
		return
	}
	maps.DeleteFunc(p.came, func(_ string, at time.Time) bool { return now.Sub(at) > trackedFor })
	p.came[id] = now
	p.recently = slices.DeleteFunc(p.recently, func(a arrival) bool { return a.namespace == namespace })
	if p.recently = append(p.recently, arrival{namespace, now}); len(p.recently) > maxRecent {
		p.recently = slices.Delete(p.recently, 0, 1)
	}
}

// Deleted notes that a ConfigMap is gone whose files running pods have mounted.
func (t *Tracker) Deleted(cm *corev1.ConfigMap) {
	t.mu.Lock()
	defer t.mu.Unlock()
	records := desired.RecordsOf(cm)
	for file, content := range cm.Data {
		t.lose(cm.Namespace, file, content, records)
	}
}

// lose notes that a file is gone. Nobody relies on a tombstone, unless somebody else put it in the place of keys.
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

// NamespaceGone forgets a namespace that no longer exists.
func (t *Tracker) NamespaceGone(namespace string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.byName {
		delete(p.lost, namespace)
		delete(p.deselected, namespace)
		delete(p.leftBehind, namespace)
	}
}

// DeselectedSince returns since when a namespace is no longer selected, as this process has seen it. A namespace that refuses
// its ConfigMap has no record of it.
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

// KeyIDs remembers the kids of a few JWKS. The files of all namespaces are nearly always the same.
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
