package rotation_test

import (
	"slices"
)

// distribute is one work item of the distribution: it brings one target's ConfigMap up to the projection.
func (c *controller) distribute() {
	if c.inFlight != nil {
		c.inFlight()
		c.inFlight = nil
		return
	}
	if c.projection == nil || len(c.w.targets) == 0 {
		return
	}
	c.distributeTo(c.w.targets[c.w.rnd.IntN(len(c.w.targets))])
}

func (c *controller) distributeTo(t *target) {
	e := t.shown[c.index]
	want := configMap{gen: c.projection.Generation, keys: slices.Sorted(slices.Values(c.projection.PublishedIDs()))}
	if e.rv != 0 && e.cm.gen == want.gen && slices.Equal(e.cm.keys, want.keys) {
		return
	}
	if e.rv != 0 && e.cm.gen > want.gen && !c.forged(want.gen) {
		return
	}
	want.writes = e.cm.writes + 1
	if e.cm.edited {
		want.writes++
	}
	c.inFlight = func() { c.writeConfigMap(t, e, want) }
}

// forged is the quorum read before a lower generation may replace a higher one.
func (c *controller) forged(gen int64) bool {
	w := c.w
	return w.keyring.exists() && w.keyring.val.Generation == gen && (!w.secret.exists() || w.secret.val.gen <= gen)
}

func (c *controller) writeConfigMap(t *target, e cached, want configMap) {
	w := c.w
	if !slices.Contains(w.targets, t) || t.refuses || t.cm.rv != e.rv || c.fails(t.name) {
		return
	}
	if e.rv == 0 && (!w.keyring.exists() || w.keyring.val.Generation != want.gen) {
		return // a creation is preceded by a fresh read
	}
	if e.rv != 0 && e.cm.gen > want.gen {
		w.log("%s: forged generation replaced", t.name)
		w.edit(t, want)
		return
	}
	w.putConfigMap(t, want)
	c.log("wrote %s generation %d %v", t.name, want.gen, want.keys)
}

func (c *controller) fails(what string) bool {
	failed := c.w.rnd.IntN(12) == 0
	if failed {
		c.log("write of %s fails", what)
	}
	return failed
}

// timesOut is a write that was carried out and reported as failed.
func (c *controller) timesOut(what string) bool {
	failed := c.w.rnd.IntN(12) == 0
	if failed {
		c.log("write of %s times out, carried out", what)
		c.step = c.read
	}
	return failed
}

// crash forgets everything; a write in flight may still arrive.
func (c *controller) crash() {
	if c.inFlight != nil && c.w.rnd.IntN(2) == 0 {
		c.inFlight()
	}
	c.log("crashes")
	c.restart()
}
