package rotation_test

import (
	"slices"
	"time"

	"github.com/keywright/keywright/controllers/rotation"
)

// fault does one thing that should not happen, or that an admin does.
func (w *world) fault(controllers []*controller) {
	t := w.anyTarget()
	switch w.rnd.IntN(14) {
	case 0:
		controllers[w.rnd.IntN(2)].clock = w.skew()
	case 1:
		w.issuers[w.rnd.IntN(2)].clock = w.skew()
	case 2:
		if t != nil {
			t.refuses = !t.refuses
			w.log("%s refuses: %v", t.name, t.refuses)
		}
	case 3:
		w.deleteConfigMap(t)
	case 4:
		w.dropStandby(t)
	case 5:
		if len(w.targets) < 5 {
			w.log("%s appears", w.addTarget().name)
		}
	case 6:
		if len(w.targets) > 1 {
			w.targets = slices.DeleteFunc(w.targets, func(o *target) bool { return o == t })
			w.log("%s vanishes", t.name)
		}
	case 7:
		w.changePolicy()
	case 8:
		w.requestRotation()
	case 9:
		if w.rnd.IntN(3) == 0 {
			w.revokeSome()
		}
	case 10:
		if w.rnd.IntN(4) == 0 && len(w.policy.Revoked) > 0 {
			w.oldSpec, w.policy.Revoked = w.policy, nil
			w.log("the spec forgets its revocations")
		}
	case 11:
		w.readIssuer(w.rnd.IntN(2))
	case 12:
		if t != nil {
			w.readVerifier(t)
		}
	case 13:
		w.loseSecrets()
	}
}

func (w *world) anyTarget() *target {
	if len(w.targets) == 0 {
		return nil
	}
	return w.targets[w.rnd.IntN(len(w.targets))]
}

// deleteConfigMap leaves the files in place.
func (w *world) deleteConfigMap(t *target) {
	if t == nil || !t.cm.exists() {
		return
	}
	w.log("%s loses its ConfigMap", t.name)
	t.cm = object[configMap]{next: t.cm.next}
	clear(t.haveSince)
}

// dropStandby takes the waiting key out of one ConfigMap by hand.
func (w *world) dropStandby(t *target) {
	s := w.keyring.val.Standby()
	if t == nil || !t.cm.exists() || s == nil || !slices.Contains(t.cm.val.keys, s.ID) {
		return
	}
	w.log("%s falls back: %s is taken out by hand", t.name, s.ID)
	cm := t.cm.val
	cm.edited = true
	cm.keys = slices.DeleteFunc(slices.Clone(cm.keys), func(k string) bool { return k == s.ID })
	t.unseen[s.ID] = true
	w.edit(t, cm)
}

func (w *world) changePolicy() {
	w.oldSpec = w.policy
	p := &w.policy
	switch w.rnd.IntN(4) {
	case 0:
		p.MaxLifetime = []time.Duration{time.Minute, 10 * time.Minute, time.Hour}[w.rnd.IntN(3)]
	case 1:
		p.Algorithm = []string{"ES256", "ES384"}[w.rnd.IntN(2)]
	case 2:
		p.Manual = !p.Manual
	case 3:
		p.Interval += time.Duration(w.rnd.Int64N(int64(time.Hour)))
	}
	p.Interval = max(p.Interval, p.PropagationDelay+p.MaxLifetime+p.ClockSkew)
	w.log("policy: lifetime %s, %s, interval %s, manual %v", p.MaxLifetime, p.Algorithm, p.Interval, p.Manual)
}

func (w *world) requestRotation() {
	w.oldSpec = w.policy
	w.policy.RotateRequested = epoch.Add(w.now + w.skew())
	w.log("a rotation is requested")
}

// revokeSome revokes one key or two, of any state.
func (w *world) revokeSome() {
	w.oldSpec = w.policy
	revoked := slices.Clone(w.policy.Revoked)
	for range 1 + w.rnd.IntN(2) {
		if keys := w.keyring.val.Keys; len(keys) > 0 {
			kid := keys[w.rnd.IntN(len(keys))].ID
			revoked = append(revoked, kid)
			w.log("%s is revoked", kid)
		}
	}
	w.policy.Revoked = revoked
}

// loseSecrets deletes the keyring or the signing-key Secret. With revocations on record only in the keyring, the
// keyring is spared: its loss and a spec that forgot them are two losses at once.
func (w *world) loseSecrets() {
	switch {
	case w.rnd.IntN(2) == 0:
		if w.keyring.exists() && w.secret.exists() && len(w.keyring.val.Revoked) == 0 && len(w.policy.Revoked) == 0 {
			w.log("the keyring is deleted")
			w.keyring = object[rotation.Keyring]{next: w.keyring.next}
		}
	case w.secret.exists() && w.keyring.exists():
		w.log("the signing-key Secret is deleted")
		w.secret = object[secret]{next: w.secret.next}
	}
}
