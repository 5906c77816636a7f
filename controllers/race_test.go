package controllers

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/jwk"
	"github.com/keywright/keywright/controllers/keystore"
	"github.com/keywright/keywright/controllers/podrefresh"
	"github.com/keywright/keywright/controllers/publication"
	"github.com/keywright/keywright/controllers/rotation"
	"github.com/keywright/keywright/controllers/signingkey"
	"github.com/keywright/keywright/controllers/wiring"
)

// Two controllers that have read the same state cannot both write: the second one must read and plan again.
func TestSecondWriteOfTheSameStateLosesTheRace(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	read, err := keystore.ReadKeyring(t.Context(), w.Client, w.keys.KeyNamespace, w.name)
	w.must(err)
	secret := w.secret(contract.SigningKeySuffix)
	for i, lost := range []bool{false, true} {
		read.Ring.Generation++
		_, err := keystore.WriteKeyring(t.Context(), w.Client, w.keys.KeyNamespace, w.name, read.Object, read.Ring)
		if keystore.LostRace(err) != lost {
			t.Errorf("write %d of the keyring: %v", i+1, err)
		}
		next, err := keystore.Project(w.keys.KeyNamespace, w.name, &read.Ring, rotation.Policy{MaxLifetime: time.Minute}, secret)
		w.must(err)
		if err := keystore.CreateOrUpdate(t.Context(), w.Client, next, secret); keystore.LostRace(err) != lost {
			t.Errorf("write %d of the signing-key Secret: %v", i+1, err)
		}
	}
	if _, err := keystore.WriteKeyring(t.Context(), w.Client, w.keys.KeyNamespace, w.name, nil, read.Ring); !keystore.LostRace(err) {
		t.Errorf("a second first keyring: %v", err)
	}
}

// after calls a function once, after an object whose name has this suffix was read.
type after struct {
	client.Reader
	suffix string
	do     func()
}

func (a *after) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	err := a.Reader.Get(ctx, key, o, opts...)
	if do := a.do; do != nil && strings.HasSuffix(key.Name, a.suffix) {
		a.do = nil
		do()
	}
	return err
}

// creating calls a function before a Secret is created.
type creating struct {
	client.Client
	ask func(*corev1.Secret) error
}

func (c creating) Create(ctx context.Context, o client.Object, opts ...client.CreateOption) error {
	if secret, ok := o.(*corev1.Secret); ok {
		if err := c.ask(secret); err != nil {
			return err
		}
	}
	return c.Client.Create(ctx, o, opts...)
}

// stalled returns another controller, which calls a function after its first read of a Secret.
func (w *world) stalled(suffix string, happens func()) *signingkey.Reconciler {
	return &signingkey.Reconciler{
		Installation: w.keys.Installation, Client: w.Client, API: &after{Reader: w.Client, suffix: suffix, do: happens}, KeyNamespace: w.keys.KeyNamespace,
		Now: w.clock.now, Generate: jwk.Generate, Recorder: w.events, Projections: desired.NewStore(), Published: publication.NewTracker(w.clock.now),
		Refreshes: podrefresh.NewRequests(), Metrics: w.keys.Metrics,
	}
}

// A delayed pass that read no keyring creates none if another one was created and deleted meanwhile.
func TestStalledPassCreatesNoKeyring(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	var signs string
	slow := w.stalled(contract.SigningKeySuffix, func() {
		w.reconcileKey() // the files must not exist yet, since they would show that
		w.reconcileKey()
		signs = w.signs()
		w.must(w.Delete(t.Context(), w.secret(contract.KeyringSuffix)))
	})
	if _, err := slow.Reconcile(t.Context(), wiring.Named(w.name)); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.want("the key that signs", w.signs(), signs)
	w.want("Ready", w.condition(keywrightv1alpha1.ConditionReady), "True Signing")
}

// A delayed pass that read no signing-key Secret does not replace a newer one that was created and deleted meanwhile.
func TestStalledPassCreatesNoOlderSecret(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	w.must(w.Delete(t.Context(), w.secret(contract.SigningKeySuffix)))
	w.keys.Client = creating{w.Client, func(*corev1.Secret) error { return errors.New("refused") }}
	_, err := w.keys.Reconcile(t.Context(), wiring.Named(w.name)) // the keyring records that the Secret is missing
	if err == nil {
		t.Fatal("created all the same")
	}
	w.keys.Client = w.Client
	var revoked string
	slow := w.stalled(contract.SigningKeySuffix, func() {
		w.settle()
		revoked = w.revokeActive()
		w.settle()
		w.must(w.Delete(t.Context(), w.secret(contract.SigningKeySuffix)))
	})
	slow.Client = creating{w.Client, func(secret *corev1.Secret) error {
		if issuerfiles.KeyID(secret.Data[contract.ActiveFile]) == revoked {
			t.Error("the revoked key signs again")
		}
		return nil
	}}
	if _, err := slow.Reconcile(t.Context(), wiring.Named(w.name)); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if got := w.signs(); got == "" || got == revoked {
		t.Errorf("%q signs", got)
	}
}

// lagging is a cache that still shows a SigningKey.
type lagging struct {
	client.Client
	key *keywrightv1alpha1.SigningKey
}

func (c lagging) Get(ctx context.Context, at client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if key, ok := o.(*keywrightv1alpha1.SigningKey); ok {
		c.key.DeepCopyInto(key)
		return nil
	}
	return c.Client.Get(ctx, at, o, opts...)
}

// A lagging cache shows a SigningKey whose deletion is complete, or has not begun: no objects are created for it again.
func TestCacheThatLagsBringsNoKeysBack(t *testing.T) {
	for name, deleted := range map[string]bool{"deleted": true, "not yet deleted": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signingKey(func(k *keywrightv1alpha1.SigningKey) { k.Spec.DeletionPolicy = keywrightv1alpha1.Delete })
			w.settle()
			shown := w.get()
			w.must(w.Delete(t.Context(), w.get()))
			w.settle()
			if deleted {
				shown = w.get()
			}
			w.step(11 * time.Minute)
			w.wantGone()
			w.keys.Client = lagging{w.Client, shown}
			for range 3 {
				if _, err := w.keys.Reconcile(t.Context(), wiring.Named(w.name)); err != nil {
					t.Error(err)
				}
			}
			if w.secret(contract.KeyringSuffix) != nil || w.secret(contract.SigningKeySuffix) != nil {
				t.Error("Secrets are made again")
			}
		})
	}
}
