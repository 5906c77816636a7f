package controllers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/wiring"
)

// A revocation is not lost if only one of its records is left, after a reset of the spec and a restart of the
// controller.
func TestRevocationSurvivesInTheRemainingObjects(t *testing.T) {
	for name, lose := range map[string]func(w *world){
		"the list of the key namespace": func(w *world) { w.freezeSecret(contract.SigningKeySuffix, true) },
		"the list of the Secret":        func(*world) {},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signingKey()
			w.settle()
			leaked := w.signs()
			w.freezeSecret(contract.KeyringSuffix, true)
			lose(w)
			w.revoke(leaked)
			w.try()
			w.wantRevoked(leaked)
			w.revoke()
			w.try()
			w.wantRevoked(leaked) // the process remembers it
			if name == "the list of the Secret" {
				w.must(w.Delete(t.Context(), w.configMap(w.keys.KeyNamespace)))
			}
			w.restart()
			w.try()
			w.wantRevoked(leaked)
		})
	}
}

// A quota, a policy or a webhook refuses writes with other status codes than the API server.
func TestRefusedSecretsAreReportedWhateverRefuses(t *testing.T) {
	for name, refusal := range map[string]error{
		"quota":   apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "x", errors.New("exceeded quota")),
		"webhook": apierrors.NewInternalError(errors.New("failed calling webhook")),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signingKey()
			w.settle()
			w.keys.Client = writing{w.Client, func(client.Object) error { return refusal }}
			w.clock.step(time.Hour)
			w.try()
			w.want("Ready", w.ready(), "False WriteRefused")
			w.keys.Client = w.Client
			w.settle()
			w.want("Ready", w.ready(), "True Signing")
			w.want("Stalled", w.condition(keywrightv1alpha1.ConditionStalled), "none")
		})
	}
}

// writing calls a function before each creation or update of a Secret.
type writing struct {
	client.Client
	ask func(client.Object) error
}

func (c writing) Update(ctx context.Context, o client.Object, opts ...client.UpdateOption) error {
	if _, ok := o.(*corev1.Secret); ok {
		if err := c.ask(o); err != nil {
			return err
		}
	}
	return c.Client.Update(ctx, o, opts...)
}

// While the first keyring cannot be written, no key is published.
func TestFirstKeyringThatIsRefused(t *testing.T) {
	w := newWorld(t)
	w.keys.Client = creating{w.Client, func(*corev1.Secret) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "x", errors.New("exceeded quota"))
	}}
	w.signingKey()
	w.try()
	w.want("Ready", w.ready(), "False WriteRefused")
	if w.secret(contract.KeyringSuffix) != nil || w.trusted(w.targets[0]) != nil {
		t.Error("keys were handed out that nothing records")
	}
	w.keys.Client = w.Client
	w.settle()
	w.want("Ready", w.ready(), "True Signing")
}

// If a policy or webhook changes a Secret, the result is an error with a back-off, not an endless loop of writes.
func TestRewrittenSecretIsNoLoop(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	writes := 0
	w.keys.Client = rewriting{w.Client, &writes}
	w.clock.step(time.Hour)
	_, err := w.keys.Reconcile(t.Context(), wiring.Named(w.name))
	if err == nil || writes > 2 {
		t.Errorf("%d writes: %v", writes, err)
	}
	w.want("Ready", w.ready(), "False WriteRefused")
}

type rewriting struct {
	client.Client
	writes *int
}

func (c rewriting) Update(ctx context.Context, o client.Object, opts ...client.UpdateOption) error {
	s, ok := o.(*corev1.Secret)
	if ok && strings.HasSuffix(s.Name, contract.SigningKeySuffix) {
		*c.writes++
		s.Data["note"] = []byte("added")
	}
	return c.Client.Update(ctx, o, opts...)
}

func TestDrainWhileTheKeyringCannotBeRead(t *testing.T) {
	w := newWorld(t)
	key := w.signingKey(func(k *keywrightv1alpha1.SigningKey) { k.Spec.DeletionPolicy = keywrightv1alpha1.Drain })
	w.settle()
	s := w.secret(contract.KeyringSuffix)
	s.Data[contract.KeyringFile] = []byte(`{}`)
	w.must(w.Update(t.Context(), s))
	trusted := w.trusted(w.targets[0])
	w.must(w.Delete(t.Context(), key))
	w.settle()
	w.want("Ready", w.ready(), "False KeyringInvalid")
	if w.issuer().Signs() || !slices.Equal(w.trusted(w.targets[0]), trusted) {
		t.Errorf("signs %v, trusted %v", w.issuer().Signs(), w.trusted(w.targets[0]))
	}
	w.change(func(k *keywrightv1alpha1.SigningKey) { k.Spec.DeletionPolicy = keywrightv1alpha1.Delete })
	w.settle()
	w.wantTakenAway()
	w.step(11 * time.Minute)
	w.wantGone()
}

// Delete ends all trust even if a Secret cannot be written: its issuers read that in the revocation list.
func TestDeleteWhileASecretCannotBeWritten(t *testing.T) {
	for _, suffix := range []string{contract.KeyringSuffix, contract.SigningKeySuffix} {
		t.Run(suffix, func(t *testing.T) {
			w := newWorld(t)
			key := w.signingKey(func(k *keywrightv1alpha1.SigningKey) { k.Spec.DeletionPolicy = keywrightv1alpha1.Delete })
			w.settle()
			w.freezeSecret(suffix, true)
			w.must(w.Delete(t.Context(), key))
			w.try()
			for _, target := range append([]string{w.keys.KeyNamespace}, w.targets...) {
				if got := w.trusted(target); len(got) != 0 {
					t.Errorf("%s trusts %v", target, got)
				}
			}
			if w.issuer().Signs() {
				t.Error("an issuer signs")
			}
			w.want("Ready", w.ready(), "False WriteRefused")
			w.clock.step(time.Hour)
			w.try()
			w.get()
			w.freezeSecret(suffix, false)
			w.settle()
			w.step(11 * time.Minute)
			w.wantGone()
		})
	}
}

func TestOneFailedReadOfTheKeyringDoesNotKeepARetainedKeyring(t *testing.T) {
	w := newWorld(t)
	key := w.signingKey()
	w.settle()
	w.must(w.Delete(t.Context(), key))
	w.keys.API = &failingOnce{Reader: w.Client}
	if _, err := w.keys.Reconcile(t.Context(), wiring.Named(w.name)); err == nil {
		t.Error("a read that failed is not tried again")
	}
	if _, err := w.keys.Reconcile(t.Context(), wiring.Named(w.name)); err != nil {
		t.Error(err)
	}
	w.wantGone()
}

type failingOnce struct {
	client.Reader
	failed bool
}

func (c *failingOnce) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if _, ok := o.(*corev1.Secret); ok && !c.failed {
		c.failed = true
		return errors.New("etcdserver: request timed out")
	}
	return c.Reader.Get(ctx, key, o, opts...)
}

// The longest lifetime under which any published key signed counts, whatever the current policy is.
func TestDeselectedNamespaceKeepsKeysOfALoweredLifetime(t *testing.T) {
	w := newWorld(t)
	w.signingKey(func(k *keywrightv1alpha1.SigningKey) {
		k.Spec.Token.MaxLifetime.Duration, k.Spec.Rotation.Interval.Duration = 24*time.Hour, 720*time.Hour
	})
	w.settle()
	w.step(time.Hour)
	kid, signed := w.signs(), w.clock.now()
	w.change(func(k *keywrightv1alpha1.SigningKey) { k.Spec.Token.MaxLifetime.Duration = time.Minute })
	w.step(time.Minute)
	w.label(w.targets[0], nil)
	w.settle()
	for w.clock.now().Before(signed.Add(24 * time.Hour)) {
		if !slices.Contains(w.trusted(w.targets[0]), kid) {
			t.Fatalf("lost %v after a token of 24 h was signed", w.clock.now().Sub(signed))
		}
		w.step(4 * time.Hour)
	}
	w.step(time.Hour)
	if !issuerfiles.TrustsNobody(w.configMap(w.targets[0]).Data[w.name+".json"]) {
		t.Error("it keeps the keys for ever")
	}
}

func TestPlannedRevocationsAreOnlyThoseOfTheSpecAndTheRecords(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	cm := w.configMap(w.keys.KeyNamespace)
	cm.Data[w.name+contract.RevokedSuffix] = string(issuerfiles.Revoked{KeyIDs: []string{w.signs()}}.Encode())
	w.must(w.Update(t.Context(), cm))
	first := w.signs()
	w.settle()
	if w.signs() != first || len(w.keyring().Revoked) != 0 {
		t.Error("a list that somebody else wrote revokes a key")
	}
}
