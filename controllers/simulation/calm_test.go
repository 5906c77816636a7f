package simulation

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/rotation"
)

// calm ends the storm: everything works, one process runs, and all must come to rest, right, within bounds.
func (w *world) calm() {
	if w.wrong != "" {
		return
	}
	w.log("calm, lag %s, skew %s, spec %+v", w.lag, w.skew, w.users.spec)
	w.faults.calm = true
	clear(w.faults.refused)
	for i, p := range w.processes {
		if p != nil {
			p.end()
			w.processes[i] = nil
		}
	}
	w.processes[0] = w.startProcess(0)
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

// bringBack applies the SigningKey as users want it. One that is being deleted ends first.
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

// waysOut takes the documented way out of each trouble that only an admin can end.
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
		if w.secret(keyringRef) == nil || !w.rebuildable() { // the Secret cannot be read either
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

// thaw deletes what somebody made immutable, and restarts the issuers that mounted it: their kubelets do not renew it.
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

// rebuildable reports whether the signing-key Secret holds what a keyring is rebuilt from.
func (w *world) rebuildable() bool {
	s := w.secret(secretRef)
	if s == nil {
		return false
	}
	_, err := issuerfiles.DecodeKeySet(s.Data[contract.JWKSFile])
	return err == nil
}

// startAnew deletes the SigningKey with a policy; bringBack makes it again.
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

// checkQuiet is invariant 7: where nothing is to be done, nothing is written.
func (w *world) checkQuiet() {
	window := 20 * time.Second
	if w.facts.shortest > time.Hour {
		window = 5 * time.Minute
	}
	for range 6 {
		before, keyring := w.store.version, w.secret(keyringRef)
		w.live(window)
		if w.secret(keyringRef) == keyring && w.store.version == before || w.wrong != "" {
			return
		}
	}
	w.violate("invariant 7: there are writes in steady state")
}

// checkSettled asserts that everything is as the last spec says.
func (w *world) checkSettled() {
	key := w.key()
	switch {
	case w.wrong != "":
	case key == nil:
		w.checkGone()
	case key.DeletionTimestamp == nil:
		w.checkConditions(key)
		w.checkRequest(key)
		w.checkKeys(key)
	}
}

// checkGone asserts that a SigningKey that was deleted left what its policy says.
func (w *world) checkGone() {
	k, s := w.secret(keyringRef), w.secret(secretRef)
	if k != nil || s != nil {
		return // retained
	}
	for _, ns := range w.store.list(kindNamespace, "") {
		if content := w.fileIn(ns.GetName()); content != "" && !issuerfiles.TrustsNobody(content) && ns.GetDeletionTimestamp() == nil {
			w.violate("the SigningKey and its Secrets are gone, and %s still trusts %v", ns.GetName(), issuerfiles.KeyIDs([]byte(content)))
		}
	}
}

func (w *world) checkConditions(key *keywrightv1alpha1.SigningKey) {
	for _, kind := range []string{
		keywrightv1alpha1.ConditionReady, keywrightv1alpha1.ConditionDistributed, keywrightv1alpha1.ConditionRotationOnTime,
	} {
		c := meta.FindStatusCondition(key.Status.Conditions, kind)
		if c == nil || c.Status != metav1.ConditionTrue || c.ObservedGeneration != key.Generation {
			w.violate("at rest %s is %+v, generation %d", kind, c, key.Generation)
		}
	}
	if key.Status.ObservedGeneration != key.Generation || w.stalled() != "" {
		w.violate("at rest the status is of generation %d, the spec of %d, stalled %q", key.Status.ObservedGeneration, key.Generation, w.stalled())
	}
}

// checkRequest asserts that a rotation that was requested came.
func (w *world) checkRequest(key *keywrightv1alpha1.SigningKey) {
	asked, err := time.Parse(time.RFC3339, key.Annotations[contract.RotateAnnotation])
	if err == nil && w.facts.ring.HandledRequest.Before(asked) {
		w.violate("at rest the rotation that was requested at %s was not carried out", asked)
	}
}

// checkKeys asserts that all projections say what the keyring says, and that one key signs and one waits.
func (w *world) checkKeys(key *keywrightv1alpha1.SigningKey) {
	r, s := &w.facts.ring, w.secret(secretRef)
	a, standby := r.Active(), r.Standby()
	if a == nil || standby == nil || s == nil {
		w.violate("at rest without an Active key, a Standby or a Secret: %v", r.PublishedIDs())
		return
	}
	if want := string(key.Spec.Algorithm); standby.Algorithm != want || a.Algorithm != want {
		w.violate("at rest the keys are for %s and %s, the spec says %s", a.Algorithm, standby.Algorithm, want)
	}
	content := keySetOf(r)
	if issuerfiles.KeyID(s.Data[contract.ActiveFile]) != a.ID || generationOf(s) != r.Generation || string(s.Data[contract.JWKSFile]) != content {
		w.violate("at rest the Secret is not what the keyring says")
	}
	for _, ns := range w.targets() {
		if got := w.fileIn(ns.GetName()); got != content && ns.GetDeletionTimestamp() == nil {
			w.violate("at rest %s holds %v, the keyring %v", ns.GetName(), issuerfiles.KeyIDs([]byte(got)), r.PublishedIDs())
		}
	}
	for _, kid := range r.PublishedIDs() {
		if k := w.facts.key(kid); k.asked && !k.loose {
			w.violate("invariant 3: at rest the revoked %s is published", kid)
		}
	}
	for _, p := range w.pods.all {
		if p.issuer && p.mounted && !p.settled && p.due.IsZero() && (p.snapshot == nil || p.snapshot.KeyID != a.ID) {
			w.violate("at rest %s does not sign with %s", p, a.ID)
		}
	}
}

func keySetOf(r *rotation.Keyring) string {
	var keys []issuerfiles.PublicKey
	for _, k := range r.PublishedKeys() {
		keys = append(keys, issuerfiles.PublicKey{ID: k.ID, JWK: k.Public})
	}
	return string(issuerfiles.EncodeKeySet(r.KeySpec().Algorithm, keys))
}

// frozen reports whether the controllers may carry out nothing but revocations.
func (w *world) frozen() bool {
	return slices.Contains([]string{
		keywrightv1alpha1.ReasonKeyringRestored, keywrightv1alpha1.ReasonKeyringInvalid, keywrightv1alpha1.ReasonKeysLost,
	}, w.stalled())
}

// readable returns the keyring as it stands, nil if it cannot be read.
func (w *world) readable() *rotation.Keyring {
	s := w.secret(keyringRef)
	if s == nil {
		return nil
	}
	return decoded(s)
}

func decoded(s *corev1.Secret) *rotation.Keyring {
	ring, err := rotation.Decode(s.Data[contract.KeyringFile])
	if err != nil {
		return nil
	}
	return &ring
}
