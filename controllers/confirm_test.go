package controllers

import (
	"context"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/distribution"
	"github.com/keywright/keywright/controllers/rotation"
)

// happens calls f once, after the first Get of a keyring.
type between struct {
	client.Reader
	f func()
}

func (a *between) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	err := a.Reader.Get(ctx, key, o, opts...)
	if f := a.f; f != nil {
		a.f = nil
		f()
	}
	return err
}

// A projection that the distribution reads must not replace one that the signingkey controller stored meanwhile.
func TestConfirmDoesNotOverwrite(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	leaked := w.signs()
	w.clock.step(time.Second)
	ring := w.keyring()
	quorum := &distribution.QuorumReader{KeyNamespace: w.keys.KeyNamespace, Now: w.clock.now, Projections: w.keys.Projections}
	quorum.API = &between{w.Client, func() {
		w.clock.step(time.Millisecond)
		p := desired.New(&ring, rotation.Policy{}, issuerfiles.Revoked{KeyIDs: []string{leaked}}, w.clock.now())
		p.Selector = labels.Everything()
		w.keys.Projections.Set(w.name, p)
	}}
	_, err := quorum.Confirm(t.Context(), w.name)
	w.must(err)
	if p, _ := w.keys.Projections.Get(w.name); !slices.Contains(p.Revoked, leaked) || p.Selector.String() != "" {
		t.Errorf("the revocation and the selector are lost: %v %v", p.Revoked, p.Selector)
	}
}
