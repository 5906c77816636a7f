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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/wiring"
	"github.com/keywright/keywright/issuer/keys"
)

// refusing refuses every update in one namespace, like a webhook or policy.
type refusing struct {
	client.Client
	namespace string
}

func (c refusing) Update(ctx context.Context, o client.Object, opts ...client.UpdateOption) error {
	if o.GetNamespace() == c.namespace {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, o.GetName(), errors.New("refused"))
	}
	return c.Client.Update(ctx, o, opts...)
}

// try is settle, but allows refused writes.
func (w *world) try() {
	w.Helper()
	for range 4 {
		_, _ = w.keys.Reconcile(w.Context(), wiring.Named(w.name))
		for _, namespace := range append([]string{w.keys.KeyNamespace}, w.targets...) {
			_, _ = w.files.Reconcile(w.Context(), wiring.Named(namespace))
		}
	}
}

// revoke sets the revoked keys of the spec.
func (w *world) revoke(ids ...string) {
	w.Helper()
	w.change(func(k *keywrightv1alpha1.SigningKey) { k.Spec.RevokedKeyIDs = ids })
}

// issuer returns how an issuer reads the Secret and the revocation list of the key namespace.
func (w *world) issuer() *keys.Snapshot {
	w.Helper()
	files, err := issuerfiles.Decode(w.secret(contract.SigningKeySuffix).Data)
	w.must(err)
	list, err := issuerfiles.DecodeRevoked([]byte(w.configMap(w.keys.KeyNamespace).Data[w.name+contract.RevokedSuffix]))
	w.must(err)
	s, err := keys.Parse(files, list)
	w.must(err)
	return s
}

// wantRevoked checks that a key is in no file, that no issuer signs with it or serves it, and that the receipt reports
// that.
func (w *world) wantRevoked(id string) {
	w.Helper()
	for _, target := range append([]string{w.keys.KeyNamespace}, w.targets...) {
		if slices.Contains(w.trusted(target), id) {
			w.Errorf("%s trusts the revoked key", target)
		}
	}
	if s := w.issuer(); s.KeyID == id || slices.Contains(issuerfiles.KeyIDs(s.JWKS), id) {
		w.Error("an issuer signs with the revoked key, or serves it")
	}
	if w.receipt(id) == nil {
		w.Errorf("there is no receipt: %+v", w.get().Status.Revocations)
	}
}

func (w *world) receipt(id string) *keywrightv1alpha1.KeyRevocationStatus {
	w.Helper()
	all := w.get().Status.Revocations
	for i := range all {
		if all[i].KeyID == id {
			return &all[i]
		}
	}
	return nil
}

func (w *world) ready() string { return w.condition(keywrightv1alpha1.ConditionReady) }

func (w *world) message(kind string) string {
	w.Helper()
	for _, c := range w.get().Status.Conditions {
		if c.Type == kind {
			return c.Message
		}
	}
	return ""
}

// In every state, the issuer can read what the controller writes.
func TestIssuersReadWhatIsWritten(t *testing.T) {
	w := newWorld(t)
	key := w.signingKey(func(k *keywrightv1alpha1.SigningKey) { k.Spec.DeletionPolicy = keywrightv1alpha1.Drain })
	w.must(w.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.targets[0], Name: contract.JWKSConfigMap}}))
	w.reconcileKey()
	if s := w.issuer0(); s.Signs() || s.SigningKey != w.name {
		t.Errorf("while it starts: %+v", s)
	}
	w.settle()
	first := w.signs()
	if s := w.issuer(); s.KeyID != first || s.MaxLifetime != 10*time.Minute || !s.NextRotation.Equal(w.clock.now().Add(time.Hour)) {
		t.Errorf("while it signs: %+v", s)
	}
	w.revoke(first)
	w.settle()
	if s := w.issuer(); s.KeyID == first || !s.Signs() {
		t.Errorf("after a revocation: %+v", s)
	}
	w.must(w.Delete(t.Context(), key))
	w.settle()
	if s := w.issuer(); s.Signs() || s.Stopped == "" || len(issuerfiles.KeyIDs(s.JWKS)) != 1 {
		t.Errorf("while it drains: %+v", s)
	}
	w.step(21 * time.Minute)
	if s := w.issuer(); s.Signs() || !issuerfiles.TrustsNobody(string(w.secret(contract.SigningKeySuffix).Data[contract.JWKSFile])) {
		t.Errorf("when it has drained: %+v", s)
	}
}

// issuer0 is issuer without a revocation list.
func (w *world) issuer0() *keys.Snapshot {
	w.Helper()
	files, err := issuerfiles.Decode(w.secret(contract.SigningKeySuffix).Data)
	w.must(err)
	s, err := keys.Parse(files, issuerfiles.Revoked{})
	w.must(err)
	return s
}

func TestRevocationInARetainedKeyringOfAnotherKeyType(t *testing.T) {
	w := newWorld(t)
	key := w.signingKey()
	w.settle()
	leaked := w.signs()
	w.must(w.Delete(t.Context(), key))
	w.settle()
	w.wantGone()
	w.signingKey(func(k *keywrightv1alpha1.SigningKey) {
		k.Spec.Algorithm = "EdDSA"
		k.Spec.RevokedKeyIDs = []string{leaked}
	})
	extra := "extra-" + w.name
	w.namespace(extra, map[string]string{"trusts": w.name})
	w.targets = append(w.targets, extra)
	w.settle()
	w.want("Ready", w.ready(), "False KeyTypeDiffers")
	w.want("Stalled", w.condition(keywrightv1alpha1.ConditionStalled), "True KeyTypeDiffers")
	w.wantRevoked(leaked)
	if r := w.receipt(leaked); r == nil || r.RemovedAt == nil || r.SigningMovedAt == nil {
		t.Errorf("receipt %+v", r)
	}
	if ring := w.keyring(); ring.Active().Type() != "EC" || len(ring.Revoked) != 1 {
		t.Errorf("the keyring did not go on: %+v", ring)
	}
}

func TestRevocationWhileTheKeyringCannotBeRead(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	leaked, standby := w.signs(), w.standby()
	s := w.secret(contract.KeyringSuffix)
	good := s.Data[contract.KeyringFile]
	s.Data[contract.KeyringFile] = []byte(strings.Replace(string(good), `"version":1`, `"version":2`, 1))
	w.must(w.Update(t.Context(), s))
	w.settle()
	w.revoke(leaked)
	w.settle()
	w.want("Ready", w.ready(), "False KeyringInvalid")
	w.wantRevoked(leaked)
	if w.issuer().Signs() {
		t.Error("an issuer signs")
	}
	r := w.receipt(leaked)
	if r == nil || r.RemovedAt == nil || !strings.Contains(r.Problem, "version 2") || !r.Known {
		t.Fatalf("receipt %+v", r)
	}
	w.revoke() // a GitOps tool resets the spec
	w.restart()
	w.step(time.Hour)
	w.wantRevoked(leaked)
	if again := w.receipt(leaked); again == nil || !again.RevokedAt.Equal(&r.RevokedAt) || !again.RemovedAt.Equal(r.RemovedAt) {
		t.Errorf("after a restart the receipt is %+v, and was %+v", again, r)
	}
	s = w.secret(contract.KeyringSuffix)
	s.Data[contract.KeyringFile] = good
	w.must(w.Update(t.Context(), s))
	w.restart()
	w.settle()
	w.want("Ready", w.ready(), "True Signing")
	w.wantRevoked(leaked)
	w.want("what signs", w.signs(), standby)
	if ring := w.keyring(); len(ring.Revoked) != 1 || ring.Revoked[0].ID != leaked {
		t.Errorf("the revocation is not recorded: %+v", ring.Revoked)
	}
}

// The API server itself refuses all writes of an immutable Secret.
func (w *world) freezeSecret(suffix string, immutable bool) {
	w.Helper()
	s := w.secret(suffix)
	if immutable {
		s.Immutable = &immutable
		w.must(w.Update(w.Context(), s))
		return
	}
	w.must(w.Delete(w.Context(), s))
	s.Immutable, s.ResourceVersion, s.UID = nil, "", ""
	w.must(w.Create(w.Context(), s))
}

func TestRevocationWhileASecretCannotBeWritten(t *testing.T) {
	for _, suffix := range []string{contract.KeyringSuffix, contract.SigningKeySuffix} {
		t.Run(suffix, func(t *testing.T) {
			w := newWorld(t)
			w.signingKey()
			w.settle()
			leaked := w.signs()
			w.freezeSecret(suffix, true)
			w.revoke(leaked)
			w.try()
			w.wantRevoked(leaked)
			w.want("Ready", w.ready(), "False WriteRefused")
			if text := w.message("Ready"); !strings.Contains(text, w.name+suffix) || !strings.Contains(text, "immutable") {
				t.Errorf("Ready says %q", text)
			}
			if key := w.get(); key.Status.ObservedGeneration != key.Generation {
				t.Errorf("observedGeneration is %d of %d", key.Status.ObservedGeneration, key.Generation)
			}
			if r := w.receipt(leaked); r == nil || r.Problem == "" {
				t.Errorf("receipt %+v", r)
			}
			if w.issuer().KeyID == leaked {
				t.Error("an issuer signs with the revoked key")
			}
			if n := strings.Count(w.events.text(), "Warning WriteRefused"); n != 1 {
				t.Errorf("%d warnings:\n%s", n, w.events.text())
			}
			w.revoke() // a GitOps tool resets the spec
			w.restart()
			w.try()
			w.wantRevoked(leaked)
			w.freezeSecret(suffix, false)
			w.settle()
			w.wantRevoked(leaked)
			w.want("Ready", w.ready(), "True Signing")
			if r := w.receipt(leaked); r.Problem != "" || r.RemovedAt == nil {
				t.Errorf("receipt %+v", r)
			}
			if !w.issuer().Signs() {
				t.Error("no issuer signs")
			}
		})
	}
}
