package rotation_test

import (
	"slices"
	"strconv"
	"time"

	"github.com/keywright/keywright/controllers/rotation"
)

// epoch is true time zero.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// controller plays one controller process. Each call of step is one call to the API server or one decision, so that
// anything can happen in between: a crash, a stall of hours, another controller.
type controller struct {
	w       *world
	name    string
	index   int // in world.controllers
	clock   time.Duration
	started time.Time
	step    func()

	// What the pass has read.
	policy     rotation.Policy
	readAt     time.Time
	keyringRV  int
	ring       rotation.Keyring
	secretRV   int
	secretID   int
	secret     secret
	decision   rotation.Decision
	projection *rotation.Keyring // what the distribution goes by
	given      map[string]time.Time
	inFlight   func()
}

// cached is a ConfigMap as the informer last showed it.
type cached struct {
	rv, id   int
	cm       configMap
	deadline time.Duration // when the watch catches up at the latest
}

func newController(w *world, name string) *controller {
	c := &controller{w: w, name: name, index: len(w.controllers)}
	w.controllers = append(w.controllers, c)
	c.restart()
	return c
}

func (c *controller) restart() {
	c.clock, c.projection, c.inFlight = c.w.skew(), nil, nil
	c.given = map[string]time.Time{}
	c.started = epoch.Add(c.w.now + c.clock)
	for _, t := range c.w.targets {
		t.shown[c.index] = cached{}
		c.refresh(t)
	}
	c.step = c.read
}

func (c *controller) log(format string, args ...any) {
	c.w.log(c.name+": "+format, args...)
}

// refresh lets the informer catch up on one target, and notes the keys that its ConfigMap came to hold.
func (c *controller) refresh(t *target) {
	old := t.shown[c.index]
	t.shown[c.index] = cached{rv: t.cm.rv, id: t.cm.id, cm: t.cm.val, deadline: c.w.now + c.w.policy.PropagationDelay/2}
	if t.cm.rv == old.rv || !t.cm.exists() {
		return
	}
	if old.id != t.cm.id {
		old = cached{}
	}
	since := t.cm.val.writes - old.cm.writes
	missed := since < 0 || since > 1
	if old.rv == 0 && !missed {
		return
	}
	for _, kid := range t.cm.val.keys {
		if missed || !slices.Contains(old.cm.keys, kid) {
			c.given[kid] = epoch.Add(c.w.now + c.clock)
		}
	}
}

// givenAt is when the last target came to hold each key, as far as this process can know.
func (c *controller) givenAt() map[string]time.Time {
	given := map[string]time.Time{}
	for _, kid := range c.ring.PublishedIDs() {
		given[kid] = c.started
		if at := c.given[kid]; at.After(c.started) {
			given[kid] = at
		}
	}
	return given
}

// read gets keyring and Secret.
func (c *controller) read() {
	w := c.w
	c.readAt = epoch.Add(w.now + c.clock)
	c.policy = w.policy
	if w.rnd.IntN(8) == 0 {
		c.policy = w.oldSpec
	}
	c.keyringRV, c.ring = w.keyring.rv, w.keyring.val.Clone()
	c.secretRV, c.secretID, c.secret = w.secret.rv, w.secret.id, w.secret.val
	switch {
	case c.keyringRV == 0 && c.secretRV != 0:
		c.step = c.rebuild
	case c.keyringRV == 0:
		c.ring = rotation.Keyring{}
		c.step = c.plan
	default:
		c.step = c.plan
	}
}

func (c *controller) rebuild() {
	now := epoch.Add(c.w.now + c.clock)
	var active *rotation.Key
	var others []rotation.Key
	for _, kid := range c.secret.keys {
		k := rotation.Key{ID: kid, KeySpec: c.policy.KeySpec, Public: []byte(`{"kid":"` + kid + `"}`)}
		if kid == c.secret.active {
			k.Private = rotation.PrivateJWK(`{"d":"` + kid + `"}`)
			active = &k
		} else {
			others = append(others, k)
		}
	}
	c.decision = rotation.Decision{Next: rotation.Rebuild(now, c.secret.gen, active, others, nil, nil)}
	c.log("rebuild from Secret generation %d", c.secret.gen)
	c.step = c.writeKeyring
}

// observed is what the informer shows. It lags, but by less than the propagation delay: that much is assumed.
func (c *controller) observed() rotation.Observed {
	o := rotation.Observed{At: c.readAt, HeldSince: c.givenAt(), Lagging: map[string]int{}, Secret: rotation.Secret{
		Present: c.secretRV != 0, ID: strconv.Itoa(c.secretID), Generation: c.secret.gen, ActiveID: c.secret.active, Published: c.secret.keys,
	}}
	ids := c.ring.PublishedIDs()
	for _, t := range c.w.targets {
		e := &t.shown[c.index]
		if e.rv == 0 {
			continue
		}
		for _, kid := range ids {
			if !slices.Contains(e.cm.keys, kid) {
				o.Lagging[kid]++
			}
		}
	}
	return o
}

func (c *controller) plan() {
	now := epoch.Add(c.w.now + c.clock)
	c.decision = rotation.Plan(now, c.policy, c.ring, c.observed())
	c.step = c.read
	if c.decision.Restored {
		c.log("keyring %d is older than the Secret %d: nothing is written", c.ring.Generation, c.secret.gen)
		return
	}
	if c.decision.Wanted != nil {
		c.decision.Prepare(now, c.w.newKey())
	}
	if c.decision.Next.Equal(c.ring) {
		c.publish()
		return
	}
	for _, m := range c.decision.Moves {
		c.log("%s %s: %s", m.Kind, m.KeyID, m.Reason)
	}
	c.step = c.writeKeyring
}

// writeKeyring updates with the resource version that was read, or creates.
func (c *controller) writeKeyring() {
	w := c.w
	c.step = c.read
	if w.keyring.rv != c.keyringRV || c.fails("keyring") {
		return
	}
	if c.keyringRV == 0 && w.secret.rv != c.secretRV {
		return // a creation is preceded by a fresh read
	}
	w.putKeyring(c.decision.Next.Clone(), c.decision.Moves)
	c.log("wrote keyring generation %d", c.decision.Next.Generation)
	if c.timesOut("keyring") {
		return
	}
	c.ring = c.decision.Next.Clone()
	c.publish()
}

// publish hands the keyring to the distribution and goes on with the Secret.
func (c *controller) publish() {
	ring := c.ring.Clone()
	c.projection = &ring
	want := secret{gen: ring.Generation, keys: slices.Sorted(slices.Values(ring.PublishedIDs()))}
	if a := ring.Active(); a != nil {
		want.active, want.lifetime = a.ID, ring.IssuingPolicy(c.policy).MaxLifetime
	}
	if c.secretRV == 0 || !equalSecrets(want, c.secret) {
		c.step = func() { c.writeSecret(want) }
	}
}

func equalSecrets(a, b secret) bool {
	return a.gen == b.gen && a.active == b.active && a.lifetime == b.lifetime && slices.Equal(a.keys, b.keys)
}

func (c *controller) writeSecret(want secret) {
	w := c.w
	c.step = c.read
	if w.secret.rv != c.secretRV || c.fails("Secret") {
		return
	}
	if c.secretRV == 0 && w.keyring.val.Generation != want.gen {
		return // a creation is preceded by a fresh read
	}
	w.putSecret(want)
	c.log("wrote Secret generation %d, active %s", want.gen, want.active)
	c.timesOut("Secret")
}
