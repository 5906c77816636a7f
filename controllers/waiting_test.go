package controllers

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// A target that refuses writes delays a rotation by waitForTargets, is named, and is waited for again once it has the
// keys.
func TestTargetThatRefusesIsLeftBehind(t *testing.T) {
	w := newWorld(t)
	w.signingKey(func(k *keywrightv1alpha1.SigningKey) { k.Spec.Rotation.WaitForTargets.Duration = 2 * time.Hour })
	w.settle()
	w.files.Client = refusing{w.Client, w.targets[0]}
	w.clock.step(time.Hour)
	w.try()
	second := w.signs() // its Standby was everywhere, but the next one is not
	standby := w.standby()
	pass := func(d time.Duration) {
		w.clock.step(d)
		w.try()
	}
	pass(time.Hour) // due
	pass(time.Hour)
	w.want("RotationOnTime", w.condition(keywrightv1alpha1.ConditionRotationOnTime), "False NotPublished")
	if text := w.message(keywrightv1alpha1.ConditionRotationOnTime); !strings.Contains(text, w.targets[0]) || !strings.Contains(text, "2026-03-01T16:00:00Z at the latest") {
		t.Errorf("it says %q", text)
	}
	pass(time.Hour - time.Millisecond)
	w.want("what signs before waitForTargets", w.signs(), second)
	pass(time.Millisecond)
	w.want("what signs after waitForTargets", w.signs(), standby)
	status := w.get().Status
	if !slices.Equal(status.Targets.LeftBehind, []string{w.targets[0]}) || !strings.Contains(w.events.text(), "Warning LeftBehind Activate") {
		t.Errorf("it is not named: %+v\n%s", status.Targets, w.events.text())
	}
	if text := w.message(keywrightv1alpha1.ConditionDistributed); !strings.Contains(text, "no longer wait for "+w.targets[0]) {
		t.Errorf("Distributed says %q", text)
	}
	next := w.standby()
	pass(time.Hour)
	w.want("what signs an interval later", w.signs(), next)
	w.files.Client = w.Client
	w.settle()
	if left := w.get().Status.Targets.LeftBehind; len(left) != 1 {
		t.Errorf("it is awaited at once: %v", left)
	}
	w.step(10 * time.Minute)
	if left := w.get().Status.Targets.LeftBehind; len(left) != 0 {
		t.Errorf("it is never awaited again: %v", left)
	}
}

// edit changes a file as another client, and shows the change to the tracker like a watch.
func (w *world) edit(namespace, content string) {
	w.Helper()
	before := w.configMap(namespace)
	cm := before.DeepCopy()
	cm.Data[w.name+".json"] = content
	w.must(w.Update(w.Context(), cm))
	edited := w.configMap(namespace)
	w.keys.Published.Changed(before, edited)
	w.settle()
	w.keys.Published.Changed(edited, w.configMap(namespace))
	w.settle()
}

// A tenant that repeatedly edits its file delays a rotation by waitForTargets, and a condition names it.
func TestTargetThatEditsItsFileIsLeftBehind(t *testing.T) {
	w := newWorld(t)
	w.signingKey(func(k *keywrightv1alpha1.SigningKey) { k.Spec.Rotation.WaitForTargets.Duration = 30 * time.Minute })
	w.settle()
	first := w.signs()
	named := false
	w.step(50 * time.Minute)
	for range 3 {
		w.clock.step(10 * time.Minute)
		w.edit(w.targets[0], `{"keys":[]}`)
		named = named || strings.Contains(w.message(keywrightv1alpha1.ConditionRotationOnTime), "restored in "+w.targets[0])
	}
	w.want("what signs before waitForTargets", w.signs(), first)
	if !named {
		t.Errorf("RotationOnTime says %q", w.message(keywrightv1alpha1.ConditionRotationOnTime))
	}
	w.clock.step(10 * time.Minute)
	w.edit(w.targets[0], `{"keys":[]}`)
	if w.signs() == first {
		t.Error("one tenant holds every rotation")
	}
}

// Rotations wait for a deselected namespace that refuses its ConfigMap until its keepFor has passed.
func TestDeselectedNamespaceThatRefusesIsNotAwaitedForEver(t *testing.T) {
	w := newWorld(t)
	w.signingKey(func(k *keywrightv1alpha1.SigningKey) { k.Spec.Rotation.WaitForTargets.Duration = 1000 * time.Hour })
	w.settle()
	w.files.Client = refusing{w.Client, w.targets[0]}
	w.clock.step(time.Hour)
	w.try()
	second := w.signs()
	w.clock.step(50 * time.Minute)
	w.label(w.targets[0], nil)
	w.try()
	w.clock.step(20 * time.Minute)
	w.try()
	w.want("what signs while its tokens live", w.signs(), second)
	w.clock.step(time.Minute + time.Second)
	w.try()
	w.clock.step(11 * time.Minute)
	w.try()
	if w.signs() == second {
		t.Errorf("it holds the rotation: %s", w.message(keywrightv1alpha1.ConditionRotationOnTime))
	}
}

// The first key waits a minute for a namespace that refuses it, since no token of this SigningKey exists.
func TestFirstKeyWaitsAMinute(t *testing.T) {
	w := newWorld(t)
	w.must(w.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.targets[0], Name: contract.JWKSConfigMap}}))
	w.files.Client = refusing{w.Client, w.targets[0]}
	w.signingKey()
	w.try()
	w.clock.step(time.Minute - time.Millisecond)
	w.try()
	w.want("what signs within a minute", w.signs(), "")
	w.clock.step(time.Millisecond)
	w.try()
	w.want("Ready", w.ready(), "True Signing")
}

// Rotations wait for a ConfigMap that was deleted, since running pods have mounted it.
func TestTargetWhoseConfigMapWasDeletedIsAwaited(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	first, cm := w.signs(), w.configMap(w.targets[0])
	w.must(w.Delete(t.Context(), cm))
	w.keys.Published.Deleted(cm)
	w.clock.step(time.Hour)
	w.reconcileKey()
	w.want("what signs", w.signs(), first)
	w.reconcileFile(w.targets[0])
	w.keys.Published.Changed(nil, w.configMap(w.targets[0]))
	w.settle()
	w.step(11*time.Minute - time.Millisecond)
	w.want("what signs", w.signs(), first)
	w.step(time.Millisecond)
	if w.signs() == first {
		t.Error("the rotation did not happen")
	}
}

// A restart continues the wait if no file changed meanwhile, and starts it again otherwise.
func TestRestartContinuesTheWaitOfTheStandby(t *testing.T) {
	for name, changed := range map[string]bool{"no file changed": false, "a file changed": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signingKey()
			w.settle()
			first := w.signs()
			w.step(10 * time.Minute)
			w.change(func(k *keywrightv1alpha1.SigningKey) {
				k.Annotations = map[string]string{contract.RotateAnnotation: w.clock.now().Format(time.RFC3339)}
				k.Annotations[contract.KeyNamespaceAnnotation] = w.keys.KeyNamespace
			})
			w.settle()
			w.want("what signs before the wait is over", w.signs(), first)
			if changed {
				cm := w.configMap(w.targets[0])
				cm.Annotations["touched"] = "by somebody"
				w.must(w.Update(t.Context(), cm))
			}
			w.clock.step(time.Minute) // the Standby has been everywhere for propagationDelay + clockSkew
			w.restart()
			w.settle()
			if rotated := w.signs() != first; rotated == changed {
				t.Errorf("rotated: %v", rotated)
			}
			w.step(11 * time.Minute)
			if w.signs() == first {
				t.Error("it never rotates")
			}
		})
	}
}

// A deletion names the target that refuses writes, removes the keys from all others, and completes after
// waitForTargets.
func TestDeletionNamesTheTargetThatRefuses(t *testing.T) {
	w := newWorld(t)
	key := w.signingKey(func(k *keywrightv1alpha1.SigningKey) {
		k.Spec.DeletionPolicy, k.Spec.Rotation.WaitForTargets.Duration = keywrightv1alpha1.Delete, 2*time.Hour
	})
	w.settle()
	w.files.Client = refusing{w.Client, w.targets[0]}
	w.must(w.Delete(t.Context(), key))
	w.try()
	w.want("Ready", w.ready(), "False Deleting")
	if text := w.message("Ready"); !strings.Contains(text, "1 namespaces that still hold the keys: "+w.targets[0]) {
		t.Errorf("Ready says %q", text)
	}
	if w.issuer0().Signs() || len(w.trusted(w.targets[1])) != 0 {
		t.Error("the others are held up")
	}
	w.clock.step(time.Hour)
	w.try()
	w.get()
	w.clock.step(time.Hour)
	w.try()
	w.clock.step(11 * time.Minute)
	w.try()
	w.wantGone()
	if !strings.Contains(w.events.text(), "Warning LeftBehind Delete") {
		t.Errorf("nobody is told:\n%s", w.events.text())
	}
	w.files.Client = w.Client
	w.settle()
	if file := w.configMap(w.targets[0]).Data[w.name+".json"]; !issuerfiles.TrustsNobody(file) {
		t.Errorf("when it no longer refuses it has %s", file)
	}
}

// In a namespace that is being deleted, revoked keys are removed as long as its ConfigMap can be written. Then the
// receipt names it, since its pods may still run.
func TestRevocationInATerminatingNamespace(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	leaked, target := w.signs(), w.targets[0]
	w.must(w.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: target}}))
	w.revoke(leaked)
	w.reconcileKey()
	w.reconcileFile(w.targets[1])
	w.reconcileFile(w.keys.KeyNamespace)
	w.reconcileKey()
	if r := w.receipt(leaked); r == nil || r.RemovedAt != nil {
		t.Errorf("the receipt says that it is gone from all: %+v", r)
	}
	w.settle()
	if slices.Contains(w.trusted(target), leaked) {
		t.Error("it keeps the revoked key")
	}
	if r := w.receipt(leaked); r == nil || r.RemovedAt == nil || len(r.Terminating) != 0 {
		t.Errorf("receipt %+v", r)
	}
	w.must(w.Delete(t.Context(), w.configMap(target)))
	w.settle()
	if r := w.receipt(leaked); r == nil || !slices.Equal(r.Terminating, []string{target}) || r.ExpectedEverywhereBy != nil {
		t.Errorf("receipt %+v", r)
	}
}

// A file of another client without a projection becomes a tombstone, since pods that have mounted it keep the last good
// key set.
func TestPlantedFileBecomesATombstone(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	cm := w.configMap(w.targets[0])
	cm.Data["planted.json"] = strings.ReplaceAll(cm.Data[w.name+".json"], "ES256", "ES384")
	cm.Data["note.txt"] = "x"
	w.must(w.Update(t.Context(), cm))
	w.settle()
	data := w.configMap(w.targets[0]).Data
	if data["planted.json"] != string(issuerfiles.Tombstone("ES384")) || data["note.txt"] != "" {
		t.Errorf("it has %v", data)
	}
	if !strings.Contains(w.events.text(), "note.txt, planted.json") {
		t.Errorf("nobody is told:\n%s", w.events.text())
	}
	version := w.configMap(w.targets[0]).ResourceVersion
	w.step(time.Minute)
	if w.configMap(w.targets[0]).ResourceVersion != version {
		t.Error("it is written again and again")
	}
	w.step(24 * time.Hour)
	if file := w.configMap(w.targets[0]).Data["planted.json"]; file != "" {
		t.Errorf("after a day it has %s", file)
	}
}
