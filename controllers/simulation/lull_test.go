package simulation

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/rotation"
)

// lull lets the processes complete their work while refused objects stay refused, for longer than their longest
// back-off. Then the status must be true (invariant 9), a refusal must not have delayed unrelated objects (invariant
// 8), and revocations must be carried out whatever the state of the controllers' own objects is.
func (w *world) lull() {
	w.log("lull, refused: %v", w.faults.sortedRefusals())
	w.faults.still = true
	users := w.users.plan
	w.users.plan = slices.DeleteFunc(slices.Clone(users), func(d deed) bool { return d.name[:3] != "end" })
	w.live(75*time.Second + w.lag)
	w.checkStatus()
	w.checkRevocations()
	w.checkOthers()
	w.checkOverdue()
	w.users.plan = slices.DeleteFunc(users, func(d deed) bool { return d.name[:3] == "end" && d.at.Before(w.now) })
	w.faults.still = false
}

// checkStatus checks invariant 9.
func (w *world) checkStatus() {
	key := w.key()
	if key == nil || w.faults.refused[keyRef] || w.wrong != "" {
		return
	}
	if key.Status.ObservedGeneration != key.Generation && key.DeletionTimestamp == nil {
		w.violate("invariant 9: nobody has reported on generation %d", key.Generation)
	}
	r, s := w.readable(), w.secret(secretRef)
	if meta.IsStatusConditionTrue(key.Status.Conditions, keywrightv1alpha1.ConditionReady) {
		switch {
		case r == nil || r.Active() == nil || s == nil || key.DeletionTimestamp != nil:
			w.violate("invariant 9: Ready without a keyring, an Active key or a Secret")
		case issuerfiles.KeyID(s.Data[contract.ActiveFile]) != r.Active().ID || generationOf(s) != r.Generation:
			w.violate("invariant 9: Ready, and the Secret is not what the keyring says")
		case !slices.Contains(key.Finalizers, contract.Finalizer):
			w.violate("invariant 9: Ready without the finalizer")
		}
		for _, kid := range key.Spec.RevokedKeyIDs {
			if r != nil && !slices.ContainsFunc(r.Revoked, func(v rotation.Revocation) bool { return v.ID == kid }) {
				w.violate("invariant 9: Ready, and the revocation of %s is not recorded", kid)
			}
		}
	}
	if r != nil && meta.IsStatusConditionTrue(key.Status.Conditions, keywrightv1alpha1.ConditionDistributed) {
		for _, ns := range w.targets() {
			if w.fileIn(ns.GetName()) != keySetOf(r) && ns.GetDeletionTimestamp() == nil {
				w.violate("invariant 9: Distributed, and %s does not hold the current keys", ns.GetName())
			}
		}
	}
}

// checkRevocations asserts that no revoked key signs, or is trusted where it can be removed.
func (w *world) checkRevocations() {
	if w.wrong != "" {
		return
	}
	for _, ns := range w.store.list(kindNamespace, "") {
		if w.faults.refused[filesIn(ns.GetName())] || ns.GetDeletionTimestamp() != nil {
			continue
		}
		for _, kid := range issuerfiles.KeyIDs([]byte(w.fileIn(ns.GetName()))) {
			if k := w.facts.key(kid); k.asked && !k.loose {
				w.violate("invariant 3: %s still holds the revoked %s", ns.GetName(), kid)
			}
		}
	}
	if w.key() == nil {
		for _, p := range w.pods.all {
			if p.issuer && p.snapshot != nil && p.snapshot.Signs() && !p.settled && w.facts.goneByDelete && w.facts.key(p.snapshot.KeyID).dead {
				w.violate("%s signs with %s, whose SigningKey was deleted with the policy Delete", p, p.snapshot.KeyID)
			}
		}
		return // a retained Secret that was edited is not reconciled
	}
	for _, p := range w.pods.all {
		if !p.issuer || p.snapshot == nil || !p.snapshot.Signs() {
			continue
		}
		if k := w.facts.key(p.snapshot.KeyID); k.asked && !k.loose && !w.faults.refused[filesIn(keyNamespace)] {
			w.violate("invariant 3: %s signs with the revoked %s", p, p.snapshot.KeyID)
		}
	}
}

// checkOthers checks invariant 8: a target that refuses writes delays no other.
func (w *world) checkOthers() {
	key, r := w.key(), w.readable()
	if w.wrong != "" || key == nil || key.DeletionTimestamp != nil || r == nil || w.frozen() || w.faults.refused[keyringRef] ||
		isTrue(w.secret(keyringRef).Immutable) || w.stalled() != "" || w.faults.refused[keyRef] {
		return
	}
	if s := w.secret(secretRef); s != nil && generationOf(s) > r.Generation {
		return // restored
	}
	for _, ns := range w.targets() {
		name := ns.GetName()
		if got := w.fileIn(name); got != keySetOf(r) && !w.faults.refused[filesIn(name)] && ns.GetDeletionTimestamp() == nil {
			w.violate("invariant 8: %s holds %v, the keyring %v", name, issuerfiles.KeyIDs([]byte(got)), r.PublishedIDs())
		}
	}
}

// checkOverdue checks invariant 8: a rotation waits for targets no longer than waitForTargets, from when it was due and
// the only process had started to work without disturbance.
func (w *world) checkOverdue() {
	key, r := w.key(), w.readable()
	if w.wrong != "" || key == nil || key.DeletionTimestamp != nil || r == nil || w.frozen() || w.stalled() != "" || w.processes[1] != nil ||
		w.faults.refused[keyringRef] || w.faults.refused[secretRef] || w.faults.refused[keyRef] {
		return
	}
	a, s := r.Active(), r.Standby()
	if a == nil || s == nil || a.SigningFrom.IsZero() || key.Spec.Rotation.Mode == keywrightv1alpha1.Manual || len(r.Keys) > 20 {
		return
	}
	from := a.SigningFrom.Add(key.Spec.Rotation.Interval.Duration)
	for _, t := range []time.Time{w.disturbed, w.processes[0].worked, s.PreparedAt} {
		if t.After(from) {
			from = t
		}
	}
	delay, skew := key.Spec.Distribution.PropagationDelay.Duration, key.Spec.Token.ClockSkew.Duration
	wait := max(key.Spec.Rotation.WaitForTargets.Duration, 2*delay+skew)
	if late := w.now.Sub(from.Add(wait + delay + 3*skew + 2*time.Minute)); late > 0 && w.processes[0].worked.After(time.Time{}) {
		w.violate("invariant 8: a rotation is held up for %s longer than waitForTargets allows", late)
	}
}
