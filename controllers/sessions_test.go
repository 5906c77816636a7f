package controllers

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// sealing returns the keys of refresh tokens in the signing-key Secret.
func (w *world) sealing() issuerfiles.SealingKeys {
	w.Helper()
	content, ok := w.secret(contract.SigningKeySuffix).Data[contract.SealingFile]
	if !ok {
		return nil
	}
	keys, err := issuerfiles.DecodeSealing(content)
	w.must(err)
	return keys
}

func withSessions(key *keywrightv1alpha1.SigningKey) {
	key.Spec.Sessions = &keywrightv1alpha1.Sessions{
		MaxRefreshLifetime: metav1.Duration{Duration: 12 * time.Hour}, MaxSessionLifetime: metav1.Duration{Duration: 720 * time.Hour},
	}
}

// Sealing keys are only in the keyring and the signing-key Secret, survive a lost keyring, and are removed with a
// revoked signing key, unless the Revocation has keepSessions.
func TestSealingKeys(t *testing.T) {
	w := newWorld(t)
	w.signingKey(withSessions)
	w.settle()
	first := w.sealing()
	if len(first) != 1 || first[0].UsedAt.IsZero() {
		t.Fatalf("%+v", first)
	}
	policy, err := issuerfiles.DecodePolicy(w.secret(contract.SigningKeySuffix).Data[contract.PolicyFile])
	if w.must(err); policy.MaxRefreshLifetime != 12*time.Hour || policy.MaxSessionLifetime != 720*time.Hour {
		t.Errorf("%+v", policy)
	}
	secret := base64.RawURLEncoding.EncodeToString(first[0].Secret)
	public := []string{w.events.text()}
	for _, o := range []client.Object{w.get(), w.configMap(w.targets[0])} {
		public = append(public, toJSON(t, o))
	}
	for _, text := range public {
		if strings.Contains(text, secret) || strings.Contains(text, contract.SealingFile) {
			t.Errorf("a sealing key is in %s", text)
		}
	}

	w.must(w.Delete(t.Context(), w.secret(contract.KeyringSuffix)))
	w.restart()
	w.settle()
	if kept := w.sealing(); len(kept) != 1 || kept[0].Number != first[0].Number || string(kept[0].Secret) != string(first[0].Secret) {
		t.Errorf("a keyring that was rebuilt has %+v", kept)
	}

	w.revokeBy(keywrightv1alpha1.RevocationSpec{KeyID: w.signs(), KeepSessions: true})
	if kept := w.sealing(); len(kept) != 1 || kept[0].Number != first[0].Number {
		t.Errorf("keepSessions leaves %+v", kept)
	}
	w.revokeBy(keywrightv1alpha1.RevocationSpec{KeyID: w.signs()})
	next := w.sealing()
	if len(next) != 1 || next[0].Number <= first[0].Number || string(next[0].Secret) == string(first[0].Secret) {
		t.Errorf("after a revocation: %+v", next)
	}

	// Revocations that cannot be recorded are carried out, too.
	s := w.secret(contract.KeyringSuffix)
	s.Data[contract.KeyringFile] = []byte(`{"version":"v9"}`)
	w.must(w.Update(t.Context(), s))
	w.revokeBy(keywrightv1alpha1.RevocationSpec{KeyID: w.signs()})
	if left := w.sealing(); left != nil {
		t.Errorf("with a keyring that cannot be read: %+v", left)
	}
}

func (w *world) revokeBy(spec keywrightv1alpha1.RevocationSpec) {
	w.Helper()
	spec.SigningKey = w.name
	w.must(w.Create(w.Context(), &keywrightv1alpha1.Revocation{ObjectMeta: metav1.ObjectMeta{GenerateName: w.name + "-"}, Spec: spec}))
	w.settle()
}

// Without sessions, there are no sealing keys.
func TestSealingKeysAreRemovedWithoutSessions(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	if keys := w.sealing(); keys != nil {
		t.Errorf("by default: %+v", keys)
	}
	w.change(withSessions)
	w.settle()
	if keys := w.sealing(); len(keys) != 1 {
		t.Errorf("when they are allowed: %+v", keys)
	}
	w.change(func(key *keywrightv1alpha1.SigningKey) { key.Spec.Sessions = nil })
	w.settle()
	if keys := w.sealing(); keys != nil {
		t.Errorf("when they are taken away: %+v", keys)
	}
	policy, err := issuerfiles.DecodePolicy(w.secret(contract.SigningKeySuffix).Data[contract.PolicyFile])
	if w.must(err); policy.MaxRefreshLifetime != 0 || policy.MaxSessionLifetime != 0 {
		t.Errorf("%+v", policy)
	}
}
