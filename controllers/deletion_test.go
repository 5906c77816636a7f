package controllers

import (
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/distribution"
)

func TestDeletionPolicies(t *testing.T) {
	begin := func(t *testing.T, policy keywrightv1alpha1.DeletionPolicy) *world {
		w := newWorld(t)
		key := w.signingKey(func(key *keywrightv1alpha1.SigningKey) { key.Spec.DeletionPolicy = policy })
		w.settle()
		w.must(w.Delete(t.Context(), key))
		w.settle()
		return w
	}
	t.Run("Retain", func(t *testing.T) {
		w := begin(t, keywrightv1alpha1.Retain)
		w.wantGone()
		first := w.signs()
		w.wantEverywhere(first, w.standby())
		w.must(w.Delete(t.Context(), w.configMap(w.targets[0])))
		w.signingKey()
		w.restart()
		w.settle()
		w.want("the signing key of the new SigningKey", w.signs(), first)
		w.wantEverywhere(first, w.standby())
	})
	t.Run("Drain", func(t *testing.T) {
		w := begin(t, keywrightv1alpha1.Drain)
		w.want("what signs", w.signs(), "")
		if len(w.trusted(w.targets[0])) != 1 {
			t.Fatalf("while it drains, %v are trusted", w.trusted(w.targets[0]))
		}
		w.want("Ready", w.condition(keywrightv1alpha1.ConditionReady), "False Draining")
		w.step(20 * time.Minute)
		if len(w.trusted(w.targets[0])) != 1 {
			t.Fatal("the file was taken away while tokens live")
		}
		w.step(time.Minute)
		w.wantTakenAway()
		w.step(11 * time.Minute)
		w.wantGone()
		w.wantCleared()
	})
	t.Run("Delete", func(t *testing.T) {
		w := begin(t, keywrightv1alpha1.Delete)
		w.wantTakenAway()
		w.want("Ready", w.condition(keywrightv1alpha1.ConditionReady), "False Deleting")
		w.step(11*time.Minute - time.Millisecond) // the propagation delay and the skew
		w.wantTakenAway()
		w.step(time.Millisecond)
		w.wantGone()
		w.settle()
		w.signingKey() // a new SigningKey of the same name, beside the tombstones
		w.settle()
		w.wantEverywhere(w.signs(), w.standby())
		if strings.Contains(w.events.text(), "UnexpectedContent") {
			t.Errorf("a tombstone counts as planted:\n%s", w.events.text())
		}
		w.change(func(key *keywrightv1alpha1.SigningKey) { key.Spec.DeletionPolicy = keywrightv1alpha1.Delete })
		w.must(w.Delete(t.Context(), w.get()))
		w.settle()
		w.step(11 * time.Minute)
		w.wantGone()
		w.wantCleared()
	})
}

// A new SigningKey of the same name is not affected by tombstones that still have the generation of the previous one.
func TestMadeAgainAtOnce(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	w.requestRotation()
	w.settle() // generations that are higher than those of the next keyring
	w.change(func(key *keywrightv1alpha1.SigningKey) { key.Spec.DeletionPolicy = keywrightv1alpha1.Delete })
	w.must(w.Delete(t.Context(), w.get()))
	w.settle()
	w.clock.step(11 * time.Minute)
	w.reconcileKey() // no file is reconciled before the next keyring exists
	w.wantGone()
	w.signingKey()
	w.settle()
	w.wantEverywhere(w.signs(), w.standby())
	if strings.Contains(w.events.text(), "UnexpectedContent") {
		t.Errorf("a tombstone counts as planted:\n%s", w.events.text())
	}
}

// wantGone checks that the SigningKey does not exist.
func (w *world) wantGone() {
	w.Helper()
	var key keywrightv1alpha1.SigningKey
	if err := w.Get(w.Context(), client.ObjectKey{Name: w.name}, &key); client.IgnoreNotFound(err) != nil || err == nil {
		w.Fatalf("the SigningKey is still there: %v %v", err, key.Status)
	}
}

// wantTakenAway checks that no key is trusted or signs, while a lagging pod can still read the tombstone.
func (w *world) wantTakenAway() {
	w.Helper()
	for _, target := range append(w.targets, w.keys.KeyNamespace) {
		if file := w.configMap(target).Data[w.name+".json"]; !issuerfiles.TrustsNobody(file) {
			w.Errorf("%s has %q", target, file)
		}
	}
	s := w.secret(contract.SigningKeySuffix)
	if s == nil || w.signs() != "" || !issuerfiles.TrustsNobody(string(s.Data[contract.JWKSFile])) {
		w.Errorf("the Secret of the issuers holds %v", s)
	}
	w.get()
}

// wantCleared checks that both Secrets are deleted, and that the tombstones are removed after a day.
func (w *world) wantCleared() {
	w.Helper()
	if w.secret(contract.KeyringSuffix) != nil || w.secret(contract.SigningKeySuffix) != nil {
		w.Error("a Secret is left")
	}
	for _, target := range w.targets {
		if file := w.configMap(target).Data[w.name+".json"]; !issuerfiles.TrustsNobody(file) {
			w.Errorf("%s has %q", target, file)
		}
	}
	w.step(distribution.EntombedFor)
	for _, target := range w.targets {
		cm := w.configMap(target)
		if cm == nil || len(cm.Data) > 0 {
			w.Errorf("want an empty ConfigMap in %s, got %v", target, cm)
		}
	}
}
