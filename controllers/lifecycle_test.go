package controllers

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/rotation"
)

// wantEverywhere checks that every target trusts exactly the given keys.
func (w *world) wantEverywhere(ids ...string) {
	w.Helper()
	slices.Sort(ids)
	for _, target := range w.targets {
		got := w.trusted(target)
		slices.Sort(got)
		if !slices.Equal(got, ids) {
			w.Fatalf("%s trusts %v, want %v", target, got, ids)
		}
	}
	s := w.secret(contract.SigningKeySuffix)
	got := issuerfiles.KeyIDs(s.Data[contract.JWKSFile])
	slices.Sort(got)
	if !slices.Equal(got, ids) {
		w.Fatalf("the issuers serve %v, want %v", got, ids)
	}
}

func (w *world) want(what, got, want string) {
	w.Helper()
	if got != want {
		w.Fatalf("%s is %q, want %q\nevents:\n%s", what, got, want, w.events.text())
	}
}

// standby returns the kid of the Standby.
func (w *world) standby() string {
	w.Helper()
	ring := w.keyring()
	if s := ring.Standby(); s != nil {
		return s.ID
	}
	w.Fatal("no key waits")
	return ""
}

func TestFirstKeySignsAsSoonAsItIsPublished(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	first := w.signs()
	if first == "" {
		t.Fatalf("nothing signs\n%s", w.events.text())
	}
	w.wantEverywhere(first, w.standby())
	w.want("Ready", w.condition(keywrightv1alpha1.ConditionReady), "True Signing")
	w.want("Distributed", w.condition(keywrightv1alpha1.ConditionDistributed), "True InSync")
	w.want("RotationOnTime", w.condition(keywrightv1alpha1.ConditionRotationOnTime), "True OnTime")
	status := w.get().Status
	w.want("activeKeyID", status.ActiveKeyID, first)
	w.want("targets", status.Targets.Summary, "3/3")
	if next := w.clock.now().Add(time.Hour); status.NextRotationTime == nil || !status.NextRotationTime.Time.Equal(next) {
		t.Errorf("the next rotation is at %v, want %v", status.NextRotationTime, next)
	}
}

func TestRotatesOnSchedule(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	first, second := w.signs(), w.standby()
	w.step(59 * time.Minute)
	w.want("the signing key before the hour", w.signs(), first)
	w.step(time.Minute)
	w.want("the signing key after the hour", w.signs(), second)
	third := w.standby()
	w.wantEverywhere(first, second, third)
	ring := w.keyring()
	for _, k := range ring.Keys {
		if k.State == rotation.Retired && len(k.Private) > 0 {
			t.Error("a Retired key has kept its private half")
		}
	}
	// After propagationDelay + maxLifetime + clockSkew, all tokens of the first key have expired.
	w.step(20 * time.Minute)
	w.wantEverywhere(first, second, third)
	w.step(time.Minute)
	w.wantEverywhere(second, third)
	w.want("the next signing key", w.signs(), second)
	for _, said := range []string{"Normal Scheduled Activate: Key " + second, "Normal TokensExpired Remove: Key " + first} {
		if !strings.Contains(w.events.text(), said) {
			t.Errorf("no event %q in\n%s", said, w.events.text())
		}
	}
}

func TestRotatesOnRequestOnce(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	w.step(15 * time.Minute) // the Standby has been published for long enough
	second := w.standby()
	request := func(at string) {
		w.change(func(key *keywrightv1alpha1.SigningKey) {
			key.Annotations = map[string]string{contract.RotateAnnotation: at}
		})
		w.settle()
	}
	request("2026-03-01T12:15:00Z")
	w.want("the signing key", w.signs(), second)
	w.step(time.Minute)
	w.restart()
	w.settle()
	w.want("the signing key, once more", w.signs(), second)
	if handled := w.get().Status.HandledRotateRequest; handled == nil {
		t.Error("the status does not say what was handled")
	}
	generation := w.keyring().Generation
	request("tomorrow")
	request("2026-03-01T11:00:00Z")
	request("2026-03-01T20:00:00Z")
	for _, reason := range []string{"InvalidRotateRequest", "OldRotateRequest", "FutureRotateRequest"} {
		if n := strings.Count(w.events.text(), "Warning "+reason); n != 1 {
			t.Errorf("%s was said %d times", reason, n)
		}
	}
	if w.keyring().Generation != generation {
		t.Errorf("what asks for nothing moved keys:\n%s", w.events.text())
	}
}

func TestRevokedKeyIsRemovedFromEveryFileAndTheStandbySigns(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	first, second := w.signs(), w.standby()
	w.change(func(key *keywrightv1alpha1.SigningKey) { key.Spec.RevokedKeyIDs = []string{first} })
	w.settle()
	w.want("the signing key", w.signs(), second)
	w.wantEverywhere(second, w.standby())
	if s := w.get().Status; len(s.Revocations) != 1 || s.Revocations[0].KeyID != first {
		t.Errorf("the status says %v", s.Revocations)
	}
	w.change(func(key *keywrightv1alpha1.SigningKey) { key.Spec.RevokedKeyIDs = nil })
	w.step(time.Minute)
	w.wantEverywhere(second, w.standby())
}

func TestBothKeysRevokedMakesANewOne(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	first, second := w.signs(), w.standby()
	w.change(func(key *keywrightv1alpha1.SigningKey) { key.Spec.RevokedKeyIDs = []string{first, second} })
	w.settle()
	third := w.signs()
	if third == "" || third == first || third == second {
		t.Fatalf("%q signs", third)
	}
	w.wantEverywhere(third, w.standby())
}

func TestNothingToDoMeansNoWrite(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	before := w.versions()
	w.step(time.Minute)
	w.restart()
	w.settle()
	if after := w.versions(); after != before {
		t.Errorf("objects were written:\n%s\n%s", before, after)
	}
}

// versions returns the resource versions of all objects of the SigningKey.
func (w *world) versions() string {
	w.Helper()
	objects := []client.Object{w.get(), w.secret(contract.KeyringSuffix), w.secret(contract.SigningKeySuffix)}
	for _, target := range w.targets {
		objects = append(objects, w.configMap(target))
	}
	var all []string
	for _, o := range objects {
		all = append(all, o.GetName()+" "+o.GetResourceVersion())
	}
	return strings.Join(all, ", ")
}

func TestPrivateKeysAreInTheTwoSecretsOnly(t *testing.T) {
	w := newWorld(t)
	w.signingKey(func(key *keywrightv1alpha1.SigningKey) { key.Spec.Algorithm = "RS256" })
	var secrets []string
	for range 4 {
		w.settle()
		ring := w.keyring()
		for _, k := range ring.Keys {
			if len(k.Private) > 0 {
				secrets = append(secrets, privatePart(t, k.Private))
			}
		}
		w.clock.step(30 * time.Minute)
	}
	if len(secrets) < 8 {
		t.Fatalf("only %d private keys were seen", len(secrets))
	}
	signing := w.secret(contract.SigningKeySuffix)
	public := []string{w.events.text(), string(signing.Data[contract.JWKSFile]), string(signing.Data[contract.PolicyFile])}
	for _, o := range []client.Object{w.get(), w.configMap(w.targets[0]), w.configMap(w.targets[1])} {
		public = append(public, toJSON(t, o))
	}
	for _, secret := range secrets {
		for _, text := range public {
			if strings.Contains(text, secret) {
				t.Fatalf("a private key is in %s", text)
			}
		}
	}
	ring := w.keyring()
	if active := string(signing.Data[contract.ActiveFile]); !strings.Contains(active, ring.Active().ID) ||
		strings.Contains(active, ring.Standby().ID) {
		t.Error("the signing-key Secret must hold the Active key alone")
	}
}

func TestAKeyringTooNewToReadChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	s := w.secret(contract.KeyringSuffix)
	s.Data[contract.KeyringFile] = []byte(`{"version":"v9"}`)
	w.must(w.Update(t.Context(), s))
	signing, file := w.signs(), w.configMap(w.targets[0]).Data
	w.restart()
	w.step(2 * time.Hour)
	w.want("Ready", w.condition(keywrightv1alpha1.ConditionReady), "False KeyringInvalid")
	w.want("the signing key", w.signs(), signing)
	w.want("the file", w.configMap(w.targets[0]).Data[w.name+".json"], file[w.name+".json"])
	var after corev1.Secret
	w.must(w.Get(t.Context(), client.ObjectKeyFromObject(s), &after))
	w.want("the keyring", string(after.Data[contract.KeyringFile]), `{"version":"v9"}`)
}

func TestSpecStaysAsItWasWritten(t *testing.T) {
	w := newWorld(t)
	key := parse(t, w.name, "rotation: {interval: 60m}\ntoken: {maxLifetime: 10m}\n"+
		"distribution: {namespaceSelector: {matchLabels: {trusts: "+w.name+"}}, propagationDelay: 10m}")
	w.must(w.Create(t.Context(), key))
	w.settle()
	w.want("Ready", w.condition(keywrightv1alpha1.ConditionReady), "True Signing")
	before := key.GetGeneration()
	w.must(w.Get(t.Context(), client.ObjectKeyFromObject(key), key))
	interval, _, _ := unstructured.NestedString(key.Object, "spec", "rotation", "interval")
	w.want("the interval", interval, "60m")
	if key.GetGeneration() != before || len(key.GetFinalizers()) != 1 {
		t.Errorf("the controller changed it: generation %d, finalizers %v", key.GetGeneration(), key.GetFinalizers())
	}
}
