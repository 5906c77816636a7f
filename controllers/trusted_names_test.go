package controllers

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/fetched"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/jwk"
	"github.com/keywright/keywright/controllers/rotation"
)

// A paused controller has a TrustedIssuer from before a SigningKey got its name: it must not write the keys of the
// TrustedIssuer into the file of the SigningKey.
func TestPausedLeaderPutsNoForeignKeyIntoTheFileOfASigningKey(t *testing.T) {
	for _, stands := range []string{"the file of the SigningKey", "no ConfigMap"} {
		t.Run(stands, func(t *testing.T) {
			w := newWorld(t)
			w.signingKey()
			w.settle()
			foreign, err := jwk.Generate(rotation.KeySpec{Algorithm: "ES256"})
			w.must(err)
			set := string(issuerfiles.EncodeKeySet("ES256", []issuerfiles.PublicKey{{ID: foreign.ID, JWK: foreign.Public}}))
			ti := &keywrightv1alpha1.TrustedIssuer{ObjectMeta: metav1.ObjectMeta{Name: w.name}, Spec: keywrightv1alpha1.TrustedIssuerSpec{
				Issuer: "https://other.example.com", Keys: keywrightv1alpha1.KeySource{Inline: set},
				Distribution: keywrightv1alpha1.TrustedIssuerDistribution{NamespaceSelector: w.get().Spec.Distribution.NamespaceSelector},
			}}
			w.must(w.Create(t.Context(), ti))
			if stands == "no ConfigMap" {
				w.must(w.Delete(t.Context(), w.configMap(w.targets[0])))
			}
			w.files.Projections.Drop(w.name)
			w.files.Projections.Set(w.name, desired.OfTrustedIssuer(ti, fetched.Entry{}, nil, w.keys.KeyNamespace, w.clock.now()).Projection)
			w.clock.step(time.Minute)
			w.reconcileFile(w.targets[0])
			if got := w.trusted(w.targets[0]); slices.Contains(got, foreign.ID) {
				t.Errorf("the file of the SigningKey has %v, the key of the TrustedIssuer is %s", got, foreign.ID)
			}
			w.must(w.Delete(t.Context(), ti))
		})
	}
}

// While a keyring cannot be read, only the Secret and files show which keys it has: a TrustedIssuer must still get none
// of them.
func TestKeysOfASigningKeyAreKnownWithoutItsKeyring(t *testing.T) {
	for _, lost := range []string{"the keyring", "the keyring and the Secret"} {
		t.Run(lost, func(t *testing.T) {
			w := newWorld(t)
			w.signingKey()
			w.settle()
			ours := w.trusted(w.targets[0])
			s := w.secret(contract.KeyringSuffix)
			s.Data[contract.KeyringFile] = []byte("{}")
			w.must(w.Update(t.Context(), s))
			if lost != "the keyring" {
				w.must(w.Delete(t.Context(), w.secret(contract.SigningKeySuffix)))
			}
			w.restart()
			w.try()
			known := desired.KeyIDsOfSigningKeys(w.files.Projections.All())
			for _, id := range ours {
				if known[id] != w.name {
					t.Errorf("%s is not known as a key of %s: %v", id, w.name, known)
				}
			}
			if len(ours) != 2 {
				t.Errorf("the file had %v", ours)
			}
		})
	}
}
