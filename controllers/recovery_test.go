package controllers

import (
	"slices"
	"testing"
	"time"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/jwk"
	"github.com/keywright/keywright/controllers/rotation"
)

func TestLostKeyringIsRebuiltFromTheSigningKeySecretAlone(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	first, second := w.signs(), w.standby()
	before := w.keyring().Generation
	planted := w.plantKey(w.targets[0])
	w.must(w.Delete(t.Context(), w.secret(contract.KeyringSuffix)))
	w.restart()
	w.settle()
	w.want("the signing key", w.signs(), first)
	ring := w.keyring()
	if ring.Generation <= before {
		t.Errorf("the rebuilt keyring has generation %d, the lost one had %d", ring.Generation, before)
	}
	// The old Standby cannot sign any more, since its private key is lost, but stays trusted.
	w.wantEverywhere(first, second, w.standby())
	if slices.Contains(w.trusted(w.targets[0]), planted) {
		t.Error("a key that was planted in a ConfigMap is trusted")
	}
	w.step(24*time.Hour + 11*time.Minute)
	if slices.Contains(w.trusted(w.targets[1]), second) {
		t.Error("the lost Standby is trusted for ever")
	}
}

// plantKey adds a key of another client to the file of a namespace, and does not change the records.
func (w *world) plantKey(namespace string) string {
	w.Helper()
	m, err := jwk.Generate(rotation.KeySpec{Algorithm: "ES256"})
	w.must(err)
	cm := w.configMap(namespace)
	cm.Data[w.name+contract.JWKSSuffix] = `{"keys":[` + string(m.Public) + `]}`
	w.must(w.Update(w.Context(), cm))
	return m.ID
}

func TestLostSigningKeySecretIsWrittenAgain(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	first := w.signs()
	w.must(w.Delete(t.Context(), w.secret(contract.SigningKeySuffix)))
	w.settle()
	w.want("the signing key", w.signs(), first)
}

func TestRestoredKeyringRevokesButRotatesNothing(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	backup := w.secret(contract.KeyringSuffix)
	w.step(time.Hour)
	second, third := w.signs(), w.standby()
	restored := w.secret(contract.KeyringSuffix)
	restored.Data = backup.Data
	w.must(w.Update(t.Context(), restored))
	w.restart()
	w.step(3 * time.Hour)
	w.want("Ready", w.condition(keywrightv1alpha1.ConditionReady), "False KeyringRestored")
	w.want("the signing key", w.signs(), second)
	if len(w.trusted(w.targets[0])) != 3 {
		t.Errorf("the files changed: %v", w.trusted(w.targets[0]))
	}
	w.change(func(key *keywrightv1alpha1.SigningKey) { key.Spec.RevokedKeyIDs = []string{second} })
	w.settle()
	w.want("the signing key after its revocation", w.signs(), "")
	for _, target := range w.targets {
		if ids := w.trusted(target); slices.Contains(ids, second) || !slices.Contains(ids, third) {
			t.Errorf("after the revocation %s trusts %v", target, ids)
		}
	}
	// The documented repair: delete the keyring.
	w.must(w.Delete(t.Context(), w.secret(contract.KeyringSuffix)))
	w.settle()
	if id := w.signs(); id == "" || id == second {
		t.Errorf("after the way out %q signs", id)
	}
	w.want("Ready", w.condition(keywrightv1alpha1.ConditionReady), "True Signing")
}

func TestBothSecretsLostWritesNothing(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	trusted := w.trusted(w.targets[0])
	w.must(w.Delete(t.Context(), w.secret(contract.KeyringSuffix)))
	w.must(w.Delete(t.Context(), w.secret(contract.SigningKeySuffix)))
	w.restart()
	w.settle()
	w.want("Ready", w.condition(keywrightv1alpha1.ConditionReady), "False KeysLost")
	if got := w.trusted(w.targets[0]); !slices.Equal(got, trusted) || w.secret(contract.KeyringSuffix) != nil {
		t.Errorf("something was written: %v", got)
	}
}

func TestRetainedKeyringOfAnotherTypeIsNotTakenUp(t *testing.T) {
	w := newWorld(t)
	key := w.signingKey()
	w.settle()
	first := w.signs()
	w.must(w.Delete(t.Context(), key))
	w.settle()
	w.signingKey(func(key *keywrightv1alpha1.SigningKey) { key.Spec.Algorithm = "RS256" })
	w.settle()
	w.want("Ready", w.condition(keywrightv1alpha1.ConditionReady), "False KeyTypeDiffers")
	w.want("the signing key", w.signs(), first)
}

func TestDeletionOfALostNameNeedsThePolicyDelete(t *testing.T) {
	w := newWorld(t)
	key := w.signingKey()
	w.settle()
	w.must(w.Delete(t.Context(), w.secret(contract.KeyringSuffix)))
	w.must(w.Delete(t.Context(), w.secret(contract.SigningKeySuffix)))
	w.must(w.Delete(t.Context(), key))
	w.restart()
	w.settle()
	if w.get().DeletionTimestamp == nil || len(w.trusted(w.targets[0])) == 0 {
		t.Error("trust was orphaned")
	}
	w.change(func(key *keywrightv1alpha1.SigningKey) { key.Spec.DeletionPolicy = keywrightv1alpha1.Delete })
	w.settle()
	w.wantTakenAway() // also in the Secret, which is created again: issuers have the lost one mounted
	w.step(11 * time.Minute)
	w.wantGone()
	w.wantCleared()
}

func TestPolicyChangesGoThroughTheSameDoor(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	w.step(15 * time.Minute)
	first := w.signs()
	w.change(func(key *keywrightv1alpha1.SigningKey) { key.Spec.Algorithm = "ES384" })
	w.settle()
	w.want("the signing key at the change", w.signs(), first)
	next := w.standby()
	w.step(10 * time.Minute)
	w.want("the signing key before the new one was published for long enough", w.signs(), first)
	w.step(2 * time.Minute)
	w.want("the signing key after it", w.signs(), next)
	ring := w.keyring()
	w.want("its algorithm", ring.Active().Algorithm, "ES384")
}

func TestManualModeRotatesOnRequestOnly(t *testing.T) {
	w := newWorld(t)
	w.signingKey(func(key *keywrightv1alpha1.SigningKey) { key.Spec.Rotation.Mode = keywrightv1alpha1.Manual })
	w.settle()
	first := w.signs()
	w.step(1000 * time.Hour)
	w.want("the signing key", w.signs(), first)
	w.want("RotationOnTime", w.condition(keywrightv1alpha1.ConditionRotationOnTime), "True ManualRotation")
	w.change(func(key *keywrightv1alpha1.SigningKey) {
		key.Annotations = map[string]string{contract.RotateAnnotation: w.clock.now().Format(time.RFC3339)}
	})
	w.settle()
	if w.signs() == first {
		t.Error("the request did nothing")
	}
}

func TestStaleTargetHoldsARotationButNotARevocation(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	first := w.signs()
	w.step(45 * time.Minute)
	// One target falls back to a file without the Standby, and its distribution does not get through.
	stale := w.configMap(w.targets[0])
	stale.Data[w.name+contract.JWKSSuffix] = `{"keys":[]}`
	w.must(w.Update(t.Context(), stale))
	w.clock.step(40 * time.Minute)
	w.reconcileKey()
	w.want("the signing key", w.signs(), first)
	w.want("RotationOnTime", w.condition(keywrightv1alpha1.ConditionRotationOnTime), "False NotPublished")
	w.change(func(key *keywrightv1alpha1.SigningKey) { key.Spec.RevokedKeyIDs = []string{first} })
	w.reconcileKey()
	w.reconcileFile(w.targets[1])
	if w.signs() == first || slices.Contains(w.trusted(w.targets[1]), first) {
		t.Error("the revocation waited")
	}
	w.settle()
	w.want("Distributed after the repair", w.condition(keywrightv1alpha1.ConditionDistributed), "True InSync")
}

// After Drain, changed to Retain meanwhile, a new SigningKey uses the keyring again: the new key waits until verifiers
// have it, since none was revoked.
func TestKeyAfterADrainThatWasRetained(t *testing.T) {
	w := newWorld(t)
	key := w.signingKey(func(k *keywrightv1alpha1.SigningKey) { k.Spec.DeletionPolicy = keywrightv1alpha1.Drain })
	w.settle()
	w.must(w.Delete(t.Context(), key))
	w.settle()
	w.change(func(k *keywrightv1alpha1.SigningKey) { k.Spec.DeletionPolicy = keywrightv1alpha1.Retain })
	w.settle()
	w.wantGone()
	w.signingKey()
	w.settle()
	w.step(11*time.Minute - time.Millisecond)
	if id := w.signs(); id != "" {
		t.Errorf("%s signs, and the target has %v", id, w.trusted(w.targets[0]))
	}
	w.want("Ready", w.condition(keywrightv1alpha1.ConditionReady), "False Starting")
	w.step(time.Millisecond)
	w.want("Ready", w.condition(keywrightv1alpha1.ConditionReady), "True Signing")
}
