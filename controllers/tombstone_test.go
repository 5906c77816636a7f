package controllers

import (
	"testing"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// If a ConfigMap is deleted while its SigningKey is being deleted, running pods still have the keys, and must get the
// tombstone.
func TestConfigMapDeletedDuringDelete(t *testing.T) {
	w := newWorld(t)
	key := w.signingKey(func(k *keywrightv1alpha1.SigningKey) { k.Spec.DeletionPolicy = keywrightv1alpha1.Delete })
	w.settle()
	cm := w.configMap(w.targets[0])
	w.must(w.Delete(t.Context(), cm))
	w.keys.Published.Deleted(cm)
	w.must(w.Delete(t.Context(), key))
	w.settle()
	now := w.configMap(w.targets[0])
	if now == nil || !issuerfiles.TrustsNobody(now.Data[w.name+".json"]) {
		t.Errorf("pods go on with the keys that they have: %v", now)
	}
}

// Tombstones have the type of the keys that they replace, even if the keyring is lost and the spec has another type.
func TestTombstoneOfALostKeyring(t *testing.T) {
	for name, lose := range map[string]func(w *world){
		"unreadable": func(w *world) {
			s := w.secret(contract.KeyringSuffix)
			s.Data[contract.KeyringFile] = []byte("{}")
			w.must(w.Update(w.Context(), s))
		},
		"both gone": func(w *world) {
			w.must(w.Delete(w.Context(), w.secret(contract.KeyringSuffix)))
			w.must(w.Delete(w.Context(), w.secret(contract.SigningKeySuffix)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			key := w.signingKey()
			w.settle()
			w.must(w.Delete(t.Context(), key))
			w.settle()
			w.wantGone()
			lose(w)
			key = w.signingKey(func(k *keywrightv1alpha1.SigningKey) {
				k.Spec.Algorithm, k.Spec.DeletionPolicy = "EdDSA", keywrightv1alpha1.Delete
			})
			w.settle()
			w.must(w.Delete(t.Context(), key))
			w.settle()
			if file := w.configMap(w.targets[0]).Data[w.name+".json"]; file != string(issuerfiles.Tombstone("ES256")) {
				t.Errorf("the file is %s", file)
			}
		})
	}
}
