package controllers

import (
	"context"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/wiring"
)

// One SigningKey that names another installation must not prevent revocations of all others.
func TestForeignAnnotationAffectsOnlyItsSigningKey(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	leaked := w.signs()
	other := sample(w.name + "-b")
	other.Annotations = map[string]string{contract.KeyNamespaceAnnotation: "elsewhere"}
	w.must(w.Create(t.Context(), other))
	w.keys.Installation.Client = ownPrefix{w.Client, w.name}
	w.revoke(leaked)
	w.settle()
	if slices.Contains(w.trusted(w.targets[0]), leaked) || w.signs() == leaked {
		t.Errorf("the revoked key signs and is trusted; Ready=%s", w.ready())
	}
	_, err := w.keys.Reconcile(t.Context(), wiring.Named(other.Name))
	w.must(err)
	if w.secret2(w.keys.KeyNamespace, other.Name+contract.KeyringSuffix) != nil {
		t.Error("it makes keys for the SigningKey of another installation")
	}
}

func (w *world) secret2(ns, name string) *corev1.Secret {
	var s corev1.Secret
	if w.Get(w.Context(), client.ObjectKey{Namespace: ns, Name: name}, &s) != nil {
		return nil
	}
	return &s
}

type ownPrefix struct {
	client.Reader
	name string
}

func (c ownPrefix) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	err := c.Reader.List(ctx, list, opts...)
	if keys, ok := list.(*keywrightv1alpha1.SigningKeyList); ok {
		keys.Items = slices.DeleteFunc(keys.Items, func(k keywrightv1alpha1.SigningKey) bool { return k.Name != c.name && k.Name != c.name+"-b" })
	}
	return err
}

// A second installation must not entomb the files of the first one's retained keyring.
func TestSecondInstallationKeepsRetainedFiles(t *testing.T) {
	w := newWorld(t)
	key := w.signingKey()
	w.settle()
	first := w.signs()
	w.must(w.Delete(t.Context(), key)) // Retain
	w.settle()
	w.wantGone()
	w.namespace("second-"+w.name, nil)
	w.restart()
	w.keys.KeyNamespace, w.files.KeyNamespace = "second-"+w.name, "second-"+w.name
	w.keys.Installation.KeyNamespace, w.files.Quorum.KeyNamespace = "second-"+w.name, "second-"+w.name
	w.settle()
	if !slices.Contains(w.trusted(w.targets[0]), first) {
		t.Errorf("the second installation took the retained key away: %s", w.configMap(w.targets[0]).Data[w.name+".json"])
	}
}
