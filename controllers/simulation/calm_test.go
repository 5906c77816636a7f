package simulation

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/keystore"
)

// calm ends the storm: it stops all faults, runs one process, and checks that the state converges within bounds.
func (w *world) calm() {
	if w.wrong != "" {
		return
	}
	w.log("calm, lag %s, skew %s, spec %+v", w.lag, w.skew, w.users.spec)
	w.faults.calm, w.stormy = true, w.runs
	clear(w.faults.refused)
	for i, p := range w.processes {
		if p != nil {
			p.end()
			w.processes[i] = nil
		}
	}
	w.processes[0] = w.startProcess(0)
	w.foreign.calm()
	w.live(2 * time.Minute)
	if w.users.wanted {
		w.bringBack()
		w.waysOut()
		w.thaw()
		w.waysOut()
	} else {
		w.awaitEnd()
		w.thaw()
	}
	w.live(2*(w.delay()+3*w.skewNow()) + 5*time.Minute)
	w.checkSettled()
	w.awaitRotation()
	w.checkSettled()
	w.checkQuiet()
}

func (w *world) delay() time.Duration   { return w.users.spec.Distribution.PropagationDelay.Duration }
func (w *world) skewNow() time.Duration { return w.users.spec.Token.ClockSkew.Duration }

// bringBack applies the SigningKey of the users. If it is being deleted, it waits for the end of that.
func (w *world) bringBack() {
	w.awaitEnd()
	if w.key() == nil {
		w.users.makeKey()
	}
	w.users.apply()
	w.live(2 * time.Minute)
}

// awaitEnd waits until a SigningKey that is being deleted is gone.
func (w *world) awaitEnd() {
	for range 100 {
		if key := w.key(); key == nil || key.DeletionTimestamp == nil || w.wrong != "" {
			break
		}
		w.live(time.Hour)
		w.resolve(w.stalled())
	}
	if key := w.key(); key != nil && key.DeletionTimestamp != nil {
		w.violate("the deletion of the SigningKey never ends: %v", key.Status.Conditions)
	}
}

func (w *world) stalled() string {
	if key := w.key(); key != nil {
		if c := meta.FindStatusCondition(key.Status.Conditions, keywrightv1alpha1.ConditionStalled); c != nil {
			return c.Reason
		}
	}
	return ""
}

// waysOut carries out the documented repair of each trouble that only an admin can end.
func (w *world) waysOut() {
	for range 8 {
		reason := w.stalled()
		if reason == "" || w.wrong != "" {
			return
		}
		w.resolve(reason)
		w.live(3 * time.Minute)
		if key := w.key(); w.users.wanted && (key == nil || key.DeletionTimestamp != nil) {
			w.bringBack()
		}
	}
	w.violate("the way out of %s leads nowhere: %v", w.stalled(), w.key().Status.Conditions)
}

func (w *world) resolve(reason string) {
	if reason == "" {
		return
	}
	w.log("users: take the way out of %s", reason)
	switch reason {
	case keywrightv1alpha1.ReasonKeyringRestored:
		_ = w.store.delete(keyringRef, nil)
	case keywrightv1alpha1.ReasonKeyringInvalid:
		if w.secret(keyringRef) == nil || !w.rebuildable() { // the Secret is unreadable, too
			w.startAnew(keywrightv1alpha1.Delete)
		} else {
			_ = w.store.delete(keyringRef, nil)
		}
	case keywrightv1alpha1.ReasonWriteRefused:
		for _, r := range []ref{keyringRef, secretRef} {
			if s := w.secret(r); s != nil && isTrue(s.Immutable) {
				_ = w.store.delete(r, nil)
				return
			}
		}
		w.violate("a write is refused, and nobody refuses it: %v", w.key().Status.Conditions)
	case keywrightv1alpha1.ReasonKeysLost:
		w.startAnew(keywrightv1alpha1.Delete)
	case keywrightv1alpha1.ReasonKeyTypeDiffers:
		w.users.spec.Algorithm = keywrightv1alpha1.Algorithm(w.facts.ring.KeySpec().Algorithm)
		w.startAnew(keywrightv1alpha1.Retain)
	default:
		w.violate("no way out of %s is known", reason)
	}
}

// thaw deletes immutable objects, and restarts the issuers that mounted them, since their kubelets do not renew them.
func (w *world) thaw() {
	for _, r := range []ref{keyringRef, secretRef} {
		if s := w.secret(r); s != nil && isTrue(s.Immutable) && w.wrong == "" {
			_ = w.store.delete(r, nil)
			w.live(2 * time.Minute)
		}
	}
	for _, p := range w.pods.all {
		if p.settled {
			w.pods.restart(p)
		}
	}
}

// rebuildable reports whether a keyring can be rebuilt from the signing-key Secret.
func (w *world) rebuildable() bool {
	s := w.secret(secretRef)
	if s == nil {
		return false
	}
	_, err := keystore.Rebuild(s, w.now)
	return err == nil
}

// startAnew deletes the SigningKey with a policy. bringBack creates it again.
func (w *world) startAnew(policy keywrightv1alpha1.DeletionPolicy) {
	w.users.edit(func(k *keywrightv1alpha1.SigningKey) { k.Spec.DeletionPolicy = policy })
	w.live(2 * time.Minute)
	_ = w.store.delete(keyRef, nil)
	w.live(2 * time.Minute)
}

// awaitRotation waits for the next scheduled rotation.
func (w *world) awaitRotation() {
	key := w.key()
	if w.wrong != "" || key == nil || key.DeletionTimestamp != nil || key.Spec.Rotation.Mode == keywrightv1alpha1.Manual {
		return
	}
	before := w.rotations
	w.live(key.Spec.Rotation.Interval.Duration + w.delay() + 3*w.skewNow() + 2*time.Minute)
	if w.wrong == "" && w.rotations == before {
		w.violate("no rotation came in calm weather")
	}
	w.live(w.delay() + 3*w.skewNow() + 2*time.Minute)
}
