package controllers

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

func TestNewSigningKeyIsUnknownUntilItWasLookedAt(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.want("Ready", w.ready(), "Unknown Pending")
}

func TestFinalizerIsPutBack(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	replaced := sample(w.name) // as kubectl replace does: without fields that are not in the file
	replaced.ResourceVersion = w.get().ResourceVersion
	w.must(w.Update(t.Context(), replaced))
	w.settle()
	if key := w.get(); !slices.Equal(key.Finalizers, []string{contract.Finalizer}) || key.Annotations[contract.KeyNamespaceAnnotation] != w.keys.KeyNamespace {
		t.Errorf("finalizers %v, annotations %v", key.Finalizers, key.Annotations)
	}
}

// pruning stores a status like an API server with an older CRD.
type pruning struct {
	client.Client
	writes *int
}

func (c pruning) Status() client.SubResourceWriter { return pruningStatus{c.Client.Status(), c.writes} }

type pruningStatus struct {
	client.SubResourceWriter
	writes *int
}

func (c pruningStatus) Update(ctx context.Context, o client.Object, opts ...client.SubResourceUpdateOption) error {
	*c.writes++
	if key, ok := o.(*keywrightv1alpha1.SigningKey); ok {
		key.Status.KeyringGeneration = 0
	}
	return c.SubResourceWriter.Update(ctx, o, opts...)
}

func TestOlderCRDIsNoLoop(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	writes := 0
	w.restart()
	w.keys.Client = pruning{w.Client, &writes}
	w.step(2 * time.Hour)
	before := writes
	if before == 0 || w.get().Status.KeyringGeneration != 0 {
		t.Fatalf("the status was written %d times: %+v", before, w.get().Status)
	}
	for range 10 {
		w.settle()
	}
	if writes != before {
		t.Errorf("%d writes of the status for nothing", writes-before)
	}
}

// A second installation in the cluster reports the first one, and writes nothing unless it takes over.
func TestSecondInstallationWritesNothing(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	first, file := w.signs(), w.configMap(w.targets[0]).ResourceVersion
	owner := w.keys.KeyNamespace
	w.namespace("second-"+w.name, nil)
	w.restart()
	w.keys.KeyNamespace, w.files.KeyNamespace = "second-"+w.name, "second-"+w.name
	w.keys.Installation.KeyNamespace = "second-" + w.name
	w.step(2 * time.Hour)
	if w.secret(contract.KeyringSuffix) != nil || w.configMap(w.targets[0]).ResourceVersion != file || w.configMap(w.keys.KeyNamespace) != nil {
		t.Error("the second one writes")
	}
	if n := strings.Count(w.events.text(), "OtherInstallation"); n != 1 || !strings.Contains(w.events.text(), "--take-over-from="+owner) {
		t.Errorf("%d times:\n%s", n, w.events.text())
	}
	for _, suffix := range []string{contract.KeyringSuffix, contract.SigningKeySuffix} { // the documented way: copy the Secrets
		var s corev1.Secret
		w.must(w.Get(t.Context(), client.ObjectKey{Namespace: owner, Name: w.name + suffix}, &s))
		s.ObjectMeta = metav1.ObjectMeta{Namespace: w.keys.KeyNamespace, Name: s.Name, Labels: s.Labels, Annotations: s.Annotations}
		w.must(w.Create(t.Context(), &s))
	}
	w.keys.Installation.TakeOverFrom = []string{owner}
	w.settle()
	w.want("Ready", w.ready(), "True Signing")
	if w.get().Annotations[contract.KeyNamespaceAnnotation] != w.keys.KeyNamespace || !slices.Contains(w.trusted(w.targets[0]), first) {
		t.Error("it did not take over")
	}
}
