package publication

import (
	"slices"
	"time"
)

// LeaveBehind stops waiting for the namespaces that lack a key, and for those that got it after the given time. It
// returns their names, sorted.
func (t *Tracker) LeaveBehind(name string, lacking []string, after time.Time) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.of(name)
	left := slices.Clone(lacking)
	for _, namespace := range lacking {
		p.leftBehind[namespace] = time.Time{}
	}
	for _, a := range p.recently {
		if a.at.After(after) && !slices.Contains(left, a.namespace) {
			p.leftBehind[a.namespace] = a.at
			left = append(left, a.namespace)
		}
	}
	clear(p.arrivedAt)
	p.recently = nil
	slices.Sort(left)
	return left
}

// Awaits reports whether rotations wait for a namespace. They wait again for one that was left behind once it has held
// the current keys for the propagation delay without interruption. inSync is whether it holds them now.
func (t *Tracker) Awaits(name, namespace string, inSync bool, delay time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.of(name)
	since, left := p.leftBehind[namespace]
	now := t.now()
	switch {
	case !left:
		return true
	case !inSync:
		p.leftBehind[namespace] = time.Time{}
	case since.IsZero():
		p.leftBehind[namespace] = now
	case !now.Before(since.Add(delay)):
		delete(p.leftBehind, namespace)
		return true
	}
	return false
}

// FellBack returns the namespaces that got a key at the given time or later, sorted.
func (t *Tracker) FellBack(name string, since time.Time) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var names []string
	for _, a := range t.of(name).recently {
		if !a.at.Before(since) {
			names = append(names, a.namespace)
		}
	}
	slices.Sort(names)
	return names
}
