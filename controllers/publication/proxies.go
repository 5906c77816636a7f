package publication

import "slices"

// ProxiesChanged records the keys that the proxies of a namespace got, which do not read its ConfigMap. before is their
// previous key set. If it was empty, no tokens were verified with it. missed is set if the watch missed versions in
// between.
func (t *Tracker) ProxiesChanged(name, namespace, before, after string, missed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.byName[name]
	switch {
	case p == nil: // no SigningKey of this name was reconciled
		return
	case missed:
		before = ""
	case before == "" || before == after:
		return
	}
	had := t.files.Of(before)
	for _, id := range t.files.Of(after) {
		if !slices.Contains(had, id) {
			p.arrived(namespace, id, t.now())
		}
	}
}
