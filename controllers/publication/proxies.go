package publication

import "slices"

// ProxiesChanged notes the keys that the proxies of a namespace, which do not read its ConfigMap, came to hold. before is what they were given
// until then, empty if they were given nothing: then nobody relies on it. missed is set if there were versions in between.
func (t *Tracker) ProxiesChanged(name, namespace, before, after string, missed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.byName[name]
	switch {
	case p == nil: // no SigningKey of this name was looked at
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
