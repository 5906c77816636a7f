package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/wiring"
)

// generations returns the generations in the records of a ConfigMap.
func generations(cm *corev1.ConfigMap) string {
	all := map[string]int64{}
	for name, r := range desired.RecordsOf(cm) {
		all[name] = r.Generation
	}
	return fmt.Sprint(all)
}

func TestWhateverIsPlantedIsReplaced(t *testing.T) {
	for name, plant := range map[string]func(*corev1.ConfigMap){
		"a file":           func(cm *corev1.ConfigMap) { cm.Data["evil.json"] = `{"keys":[]}` },
		"a file of theirs": func(cm *corev1.ConfigMap) { cm.Data["notes.txt"] = "x" },
		"binary data":      func(cm *corev1.ConfigMap) { cm.BinaryData = map[string][]byte{"evil": {1}} },
		"no files":         func(cm *corev1.ConfigMap) { cm.Data = nil },
		"no records": func(cm *corev1.ConfigMap) {
			cm.Annotations = nil
			for file := range cm.Data {
				cm.Data[file] = `{"keys":[]}`
			}
		},
		"a generation from the future": func(cm *corev1.ConfigMap) {
			for file := range cm.Data {
				cm.Annotations[contract.ProjectionsAnnotation] = `{"` + strings.TrimSuffix(file, ".json") + `":{"generation":99999}}`
				cm.Data[file] = `{"keys":[]}`
			}
		},
		"unreadable records": func(cm *corev1.ConfigMap) { cm.Annotations[contract.ProjectionsAnnotation] = `{{` },
		"immutability":       func(cm *corev1.ConfigMap) { cm.Immutable, cm.Data["evil.json"] = new(true), "{}" },
		"an owner": func(cm *corev1.ConfigMap) {
			cm.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "evil", UID: types.UID("1")}}
		},
		"a finalizer": func(cm *corev1.ConfigMap) { cm.Finalizers = []string{"evil.example.com/hold"} },
		"no label":    func(cm *corev1.ConfigMap) { cm.Labels = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signingKey()
			w.settle()
			target := w.targets[0]
			good := w.configMap(target)
			evil := good.DeepCopy()
			plant(evil)
			w.must(w.Update(t.Context(), evil))
			w.reconcileFile(target)
			w.reconcileFile(target)
			got := w.configMap(target)
			if got == nil || toJSON(t, got.Data) != toJSON(t, good.Data) || len(got.BinaryData) > 0 ||
				got.Immutable != nil || len(got.OwnerReferences)+len(got.Finalizers) > 0 ||
				generations(got) != generations(good) || desired.RecordsOf(got)[w.name].Digest != desired.RecordsOf(good)[w.name].Digest {
				t.Fatalf("it stands: %s", toJSON(t, got))
			}
			silent := []string{"a finalizer", "no label", "no files", "unreadable records"}
			if said := strings.Contains(w.events.text(), "Warning UnexpectedContent Replace"); said == slices.Contains(silent, name) {
				t.Errorf("events:\n%s", w.events.text())
			}
		})
	}
}

func TestDeletedConfigMapIsCreatedAgain(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	w.must(w.Delete(t.Context(), w.configMap(w.targets[0])))
	w.reconcileFile(w.targets[0])
	w.wantEverywhere(w.signs(), w.standby())
}

// While the keyring is not usable, a ConfigMap may have the only copy of a key set: it is not deleted to make it
// mutable, except for a revocation.
func TestImmutableFileIsNotLostWithItsKeyring(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	target, keys := w.targets[0], []string{w.signs(), w.standby()}
	frozen, _ := w.files.Projections.Get(w.name)
	frozen.Frozen = true
	w.files.Projections.Set(w.name, frozen)
	cm := w.configMap(target)
	cm.Immutable = new(true)
	w.must(w.Update(t.Context(), cm))
	w.reconcileFile(target)
	if got := w.configMap(target); got == nil || got.UID != cm.UID {
		t.Error("it was deleted")
	}
	frozen.Revoked = keys[:1]
	w.files.Projections.Set(w.name, frozen)
	w.reconcileFile(target)
	if got := w.trusted(target); !slices.Equal(got, keys[1:]) {
		t.Errorf("after a revocation it holds %v, want %v", got, keys[1:])
	}
}

// If the cache does not show yet what this process created, another creation must not remove files.
func TestSecondCreateRemovesNothing(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	target := w.targets[0]
	w.must(w.Delete(t.Context(), w.configMap(target)))
	w.files.Client = withoutConfigMaps{w.Client}
	w.reconcileFile(target)
	doubted, _ := w.files.Projections.Get(w.name)
	doubted.Frozen = true
	w.files.Projections.Set(w.name, doubted)
	w.reconcileFile(target)
	if got := w.trusted(target); len(got) != 2 {
		t.Errorf("the second creation left %v", got)
	}
}

type withoutConfigMaps struct{ client.Client }

func (c withoutConfigMaps) Get(ctx context.Context, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	if _, is := into.(*corev1.ConfigMap); is {
		return apierrors.NewNotFound(corev1.Resource("configmaps"), key.Name)
	}
	return c.Client.Get(ctx, key, into, opts...)
}

func TestDeselectedNamespaceKeepsItsFileUntilItsTokensExpired(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	target := w.targets[0]
	w.label(target, nil)
	w.settle()
	w.clock.step(20 * time.Minute)
	w.change(func(key *keywrightv1alpha1.SigningKey) { key.Spec.RevokedKeyIDs = []string{w.signs()} })
	w.restart()
	w.settle()
	if got := w.trusted(target); len(got) != 2 || !slices.Contains(got, w.signs()) {
		t.Errorf("its file was not kept up to date: %v", got)
	}
	w.want("targets", w.get().Status.Targets.Summary, "2/2")
	if kept := w.get().Status.Targets.Kept; kept != 1 {
		t.Errorf("the status counts %d kept files", kept)
	}
	w.step(time.Minute + time.Second)
	if file := w.configMap(target).Data[w.name+".json"]; !issuerfiles.TrustsNobody(file) {
		t.Errorf("after propagationDelay + maxLifetime + clockSkew it has %s", file)
	}
	before := w.configMap(target).ResourceVersion
	w.step(100 * time.Hour)
	if after := w.configMap(target).ResourceVersion; after != before {
		t.Error("a tombstone is written again with each rotation")
	}
	if w.configMap(target) == nil {
		t.Error("the ConfigMap was deleted: that takes no file away from a pod")
	}
}

func TestSelectedAgainClearsTheDeselection(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	target := w.targets[0]
	w.label(target, nil)
	w.settle()
	w.step(10 * time.Minute)
	w.label(target, map[string]string{"trusts": w.name})
	w.settle()
	w.label(target, nil)
	w.settle()
	w.step(20 * time.Minute)
	if len(w.trusted(target)) == 0 {
		t.Error("the first deselection still counts")
	}
}

func (w *world) label(namespace string, labels map[string]string) {
	w.Helper()
	var ns corev1.Namespace
	w.must(w.Get(w.Context(), client.ObjectKey{Name: namespace}, &ns))
	ns.Labels = labels
	w.must(w.Update(w.Context(), &ns))
}

func TestTwoSigningKeysShareOneConfigMap(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	other := sample(w.name + "-other")
	other.Spec.Distribution.NamespaceSelector.MatchLabels = map[string]string{"trusts": w.name}
	w.must(w.Create(t.Context(), other))
	for range 4 {
		_, err := w.keys.Reconcile(t.Context(), wiring.Named(other.Name))
		w.must(err)
		w.settle()
	}
	cm := w.configMap(w.targets[0])
	if len(cm.Data) != 4 || len(issuerfiles.KeyIDs([]byte(cm.Data[w.name+".json"]))) != 2 || len(issuerfiles.KeyIDs([]byte(cm.Data[other.Name+".json"]))) != 2 {
		t.Errorf("want two files of two keys, got %s", toJSON(t, cm.Data))
	}
}

func TestTerminatingNamespaceIsNotWritten(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	target := w.targets[0]
	w.must(w.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: target}}))
	w.must(w.Delete(t.Context(), w.configMap(target)))
	w.settle()
	if w.configMap(target) != nil {
		t.Error("it was written to")
	}
	w.want("targets", w.get().Status.Targets.Summary, "2/2")
}

// After a restart, files may be reconciled before the keyrings are read: they are not changed until then.
func TestRestartRemovesNothing(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	first, second := w.signs(), w.standby()
	w.restart()
	if result := w.reconcileFile(w.targets[0]); result.RequeueAfter == 0 {
		t.Error("nobody looks at it again")
	}
	w.wantEverywhere(first, second)
	w.must(w.Delete(t.Context(), w.get()))
	w.settle()
	w.wantGone()
	w.restart() // now there is a retained keyring without a SigningKey
	w.reconcileFile(w.targets[0])
	w.wantEverywhere(first, second)
}

// A keyring from a backup is never projected, not even by a leader that remembers its generation.
func TestRestoredKeyringReplacesNoNewerFile(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	backup, remembers := w.secret(contract.KeyringSuffix), w.files
	w.restart()
	w.step(time.Hour)
	w.step(time.Minute)
	trusted := w.trusted(w.targets[0])
	restored := w.secret(contract.KeyringSuffix)
	restored.Data = backup.Data
	w.must(w.Update(t.Context(), restored))
	w.files = remembers
	w.reconcileFile(w.targets[0])
	if got := w.trusted(w.targets[0]); !slices.Equal(got, trusted) {
		t.Errorf("%v became %v", trusted, got)
	}
}
