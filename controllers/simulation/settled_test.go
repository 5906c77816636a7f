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

// checkQuiet checks invariant 7: if nothing has to change, nothing is written.
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

// checkSettled asserts that the state is that of the last spec.
func (w *world) checkSettled() {
	w.foreign.checkSettled()
	key := w.key()
	switch {
	case w.wrong != "":
	case key == nil:
		w.checkGone()
	case key.DeletionTimestamp == nil:
		w.checkConditions(key)
		w.checkRequest(key)
		w.checkKeys(key)
		w.checkEndings()
	}
}

// checkGone asserts that the objects of a deleted SigningKey are as its policy says.
func (w *world) checkGone() {
	k, s := w.secret(keyringRef), w.secret(secretRef)
	if k != nil || s != nil {
		return // retained
	}
	for _, p := range w.pods.all {
		if p.issuer && p.snapshot != nil && p.snapshot.Signs() && !p.settled && p.due.IsZero() {
			w.violate("the SigningKey and its Secrets are gone, and %s still signs with %s", p, p.snapshot.KeyID)
		}
	}
	if _, another := w.store.objects[ref{kindTrusted, "", signingKey}]; another {
		return // a TrustedIssuer may have the name then
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

// checkRequest asserts that a requested rotation took place.
func (w *world) checkRequest(key *keywrightv1alpha1.SigningKey) {
	asked, err := time.Parse(time.RFC3339, key.Annotations[contract.RotateAnnotation])
	if err == nil && w.facts.ring.HandledRequest.Before(asked) {
		w.violate("at rest the rotation that was requested at %s was not carried out", asked)
	}
}

// checkKeys asserts that all projections are those of the keyring, and that it has one Active key and one Standby.
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

// frozen reports whether the controllers may carry out only revocations.
func (w *world) frozen() bool {
	return slices.Contains([]string{
		keywrightv1alpha1.ReasonKeyringRestored, keywrightv1alpha1.ReasonKeyringInvalid, keywrightv1alpha1.ReasonKeysLost,
	}, w.stalled())
}

// readable returns the current keyring, nil if it cannot be read.
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
