package controllers

import (
	"context"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/controllers/wiring"
)

// A revocation that was seen while a Secret could not be read is not lost when the spec is reset.
func TestRevocationSeenWhileNothingCanBeRead(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	leaked := w.signs()
	w.revoke(leaked)
	w.keys.API = failing{w.Client}
	_, err := w.keys.Reconcile(t.Context(), wiring.Named(w.name))
	if err == nil {
		t.Fatal("it reads")
	}
	w.revoke()
	w.keys.API = w.Client
	w.settle()
	if slices.Contains(w.trusted(w.targets[0]), leaked) {
		t.Error("the revocation is lost")
	}
}

type failing struct{ client.Reader }

func (failing) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return apierrors.NewServiceUnavailable("etcd")
}
