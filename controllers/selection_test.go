package controllers

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/signingkey"
)

func TestInvalidSelectorKeepsFilesUpToDate(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	first := w.signs()
	w.change(func(key *keywrightv1alpha1.SigningKey) {
		key.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "trusts", Operator: "Sometimes"}},
		}
		key.Spec.RevokedKeyIDs = []string{first}
	})
	w.settle()
	w.want("Distributed", w.condition(keywrightv1alpha1.ConditionDistributed), "False InvalidSelector")
	w.wantEverywhere(w.signs(), w.standby())
}

func TestTargetWithoutAConfigMapIsReportedAndHoldsNothing(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	first := w.signs()
	w.must(w.Delete(t.Context(), w.configMap(w.targets[0])))
	w.clock.step(time.Hour)
	w.reconcileKey()
	if w.signs() == first {
		t.Error("a namespace in which nobody can have mounted anything holds the rotation")
	}
	w.want("Distributed", w.condition(keywrightv1alpha1.ConditionDistributed), "False TargetsBehind")
	w.want("targets", w.get().Status.Targets.Summary, "0/3")
}

func TestSelectorThatSelectsNothingIsWarnedOfOnce(t *testing.T) {
	w := newWorld(t)
	w.signingKey(func(k *keywrightv1alpha1.SigningKey) {
		k.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"trusts": "nobody"}}
	})
	w.settle()
	w.step(time.Hour)
	if got := w.condition(keywrightv1alpha1.ConditionReady); got != "True Signing" {
		t.Errorf("Ready is %s", got)
	}
	if got := w.condition(keywrightv1alpha1.ConditionDistributed); got != "True NoTargets" {
		t.Errorf("Distributed is %s", got)
	}
	if n := strings.Count(w.events.text(), "Warning NoTargets"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, w.events.text())
	}
}

// While files are being written, the status is updated only at intervals, but its completion is reported at once.
func TestProgressIsReportedPeriodically(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	writes := 0
	last := w.get().ResourceVersion
	look := func() {
		w.reconcileKey()
		if now := w.get().ResourceVersion; now != last {
			writes, last = writes+1, now
		}
	}
	w.change(func(k *keywrightv1alpha1.SigningKey) { k.Spec.RevokedKeyIDs = []string{w.standby()} })
	last = w.get().ResourceVersion
	look()
	look()
	began := writes
	w.reconcileFile(w.targets[0])
	look()
	if writes != began {
		t.Error("the status was written for one target of three")
	}
	w.clock.step(signingkey.ProgressEvery)
	look()
	if writes != began+1 || w.get().Status.Targets.Summary != "1/3" {
		t.Errorf("%d writes after a while, and %s", writes-began, w.get().Status.Targets.Summary)
	}
	w.reconcileFile(w.targets[1])
	w.reconcileFile(w.keys.KeyNamespace)
	look()
	if w.get().Status.Targets.Summary != "3/3" {
		t.Error("the end is not told at once")
	}
}
