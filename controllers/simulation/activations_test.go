package simulation

import (
	"slices"

	"github.com/keywright/keywright/controllers/rotation"
)

// activations checks each key that starts to sign.
func (f *facts) activations(ring *rotation.Keyring) {
	a := ring.Active()
	if a == nil || f.key(a.ID).activated {
		return
	}
	was := f.ring.Active()
	k := f.key(a.ID)
	k.activated = true
	f.w.rotations++
	first := !f.ring.EverActive
	revoked := f.ring.EverActive && f.ring.Stopped == "" && (was == nil || slices.ContainsFunc(ring.Revoked, func(r rotation.Revocation) bool { return r.ID == was.ID }))
	if !first && !revoked {
		f.spacing(was, a, ring)
	}
	f.w.log("key %s is Active, first %v, after a revocation %v", a.ID, first, revoked)
	for name, n := range f.namespaces {
		if since, held := n.held[a.ID]; held && !f.w.now.Before(since.Add(f.w.lag)) {
			continue
		}
		switch why := f.excuse(name, n, a); {
		case first || revoked:
			k.excused[name] = true
		case why == "":
			f.w.violate("invariant 2: %s becomes Active, and %s has not held it for %s (since %v)", a.ID, name, f.w.lag, n.held[a.ID])
		default:
			f.w.log("%s need not know %s yet: %s", name, a.ID, why)
			k.excused[name] = true
		}
	}
}

// spacing checks invariant 5: two scheduled rotations are at least an interval apart.
func (f *facts) spacing(was, a *rotation.Key, ring *rotation.Keyring) {
	if was == nil || was.KeySpec != a.KeySpec || ring.HandledRequest != f.ring.HandledRequest || f.ring.Stopped != "" {
		return
	}
	if !f.scheduled.IsZero() && f.w.now.Sub(f.scheduled) < f.shortest-f.w.skew {
		f.w.violate("invariant 5: two scheduled rotations within %s", f.w.now.Sub(f.scheduled))
	}
	f.scheduled = f.w.now
}

// excuse returns why a namespace may lack a key that starts to sign, empty if it must have it.
func (f *facts) excuse(name string, n *namespaceFacts, a *rotation.Key) string {
	ns, err := f.w.store.get(ref{kindNamespace, "", name})
	p, by := f.w.writer, f.w.writing
	switch {
	case err != nil || ns.GetDeletionTimestamp() != nil:
		return "it is being deleted"
	case !n.selected:
		return "it is not selected"
	case f.w.now.Before(n.selectedAt.Add(f.w.lag)):
		return "it was selected a moment ago"
	case n.file.IsZero() && f.w.configMap(name) == nil && n.damaged == 0:
		return "it never had a file"
	case !n.file.IsZero() && f.w.now.Before(n.file.Add(f.w.lag)) && n.damaged == 0:
		return "it had no file before"
	case !f.w.now.Before(a.PreparedAt.Add(f.wait - f.w.skew)):
		if !n.left || !slices.Contains(f.w.processes[:], n.leftBy) { // a process that left it behind before, and still runs, remembers that
			n.left, n.leftBy = true, p
		}
		return "it was waited for long enough"
	case p.absent[name] && !f.w.now.After(n.file.Add(f.w.lag)) || p.absent[name] && n.file.IsZero():
		return "its file was gone when the process started"
	case n.damaged > by.saw && !by.began.Before(n.taken[a.ID].Add(f.w.lag)):
		return "the damage was not seen"
	case n.left:
		return "it was left behind"
	}
	return ""
}
