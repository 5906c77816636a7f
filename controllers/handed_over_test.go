package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// refusesSecret refuses writes of the signing-key Secret.
func refusesSecret(c client.Client, suffix string) client.Client {
	return writing{c, func(o client.Object) error {
		if strings.HasSuffix(o.GetName(), suffix) {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, o.GetName(), fmt.Errorf("exceeded quota"))
		}
		return nil
	}}
}

func (w *world) requestRotation() {
	w.change(func(k *keywrightv1alpha1.SigningKey) {
		k.Annotations[contract.RotateAnnotation] = w.clock.now().Format(time.RFC3339)
	})
}

func (w *world) activeID() string { ring := w.keyring(); return ring.Active().ID }

// A Standby that no Secret has served must not sign as soon as the Secret can be written again.
func TestStandbyThatWasNotServedWaits(t *testing.T) {
	w := newWorld(t)
	w.signingKey(func(k *keywrightv1alpha1.SigningKey) { k.Spec.Rotation.WaitForTargets.Duration = time.Hour })
	w.settle()
	w.step(time.Hour - time.Second)
	w.keys.Client = refusesSecret(w.Client, contract.SigningKeySuffix)
	w.clock.step(time.Second)
	w.try() // K2 is due to sign and K3 is the Standby, but the Secret has neither change
	w.want("Ready", w.ready(), "False WriteRefused")
	second, third := w.activeID(), w.standby()
	w.clock.step(time.Minute)
	w.requestRotation()
	w.try()
	w.clock.step(2 * time.Hour)
	w.try()
	w.keys.Client = w.Client
	w.settle()
	if w.signs() != second {
		t.Errorf("K3 %s signs although the Secret served it for 0 s; events:\n%s", third, w.events.text())
	}
	if left := w.get().Status.Targets.LeftBehind; len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A target that got no key while the keyring could not be read is not left behind afterwards.
func TestTimeWhileFrozenLeavesNoTargetBehind(t *testing.T) {
	w := newWorld(t)
	w.signingKey(func(k *keywrightv1alpha1.SigningKey) { k.Spec.Rotation.WaitForTargets.Duration = time.Hour })
	w.settle()
	w.step(30 * time.Minute)
	s := w.secret(contract.KeyringSuffix)
	good := s.Data[contract.KeyringFile]
	s.Data[contract.KeyringFile] = []byte("{}")
	w.must(w.Update(t.Context(), s))
	w.try()
	cm := w.configMap(w.targets[0])
	cm.Data[w.name+".json"] = `{"keys":[]}`
	w.must(w.Update(t.Context(), cm))
	w.try()
	w.clock.step(3 * time.Hour)
	w.try()
	s = w.secret(contract.KeyringSuffix)
	s.Data[contract.KeyringFile] = good
	w.must(w.Update(t.Context(), s))
	w.settle()
	if strings.Contains(w.events.text(), "LeftBehind") {
		t.Errorf("a healthy target is left behind:\n%s", w.events.text())
	}
}
