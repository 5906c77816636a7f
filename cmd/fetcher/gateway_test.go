package main

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// Gateways read the entry jwks: it has the key set of the first object that requests it, and the condition of the
// second one reports that.
func TestGatewayEntry(t *testing.T) {
	w := newWorld(t, "gateway")
	entry := func() []string {
		t.Helper()
		var cm corev1.ConfigMap
		w.must(client.IgnoreNotFound(w.Get(t.Context(), client.ObjectKey{Namespace: w.target, Name: contract.JWKSConfigMap}, &cm)))
		return issuerfiles.KeyIDs([]byte(cm.Data[contract.GatewayFile]))
	}
	inline := func(name, kid string) *keywrightv1alpha1.TrustedIssuer {
		t.Helper()
		key := newKey(t, "ES256", kid)
		b, err := key.Public().MarshalJSON()
		w.must(err)
		ti := &keywrightv1alpha1.TrustedIssuer{ObjectMeta: metav1.ObjectMeta{Name: name}}
		ti.Spec.Issuer, ti.Spec.Keys.Inline = "https://gateway.example", `{"keys":[`+string(b)+`]}`
		ti.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"trusts": w.name}}
		ti.Spec.Distribution.GatewayEntry = true
		w.must(w.Create(t.Context(), ti))
		return ti
	}
	first := inline(w.name, "z-first")
	w.eventually("the entry", func() bool {
		ids := entry()
		return len(ids) == 1 && ids[0] == "z-first" && w.says(keywrightv1alpha1.ConditionGatewayEntry, metav1.ConditionTrue, "")
	})
	time.Sleep(1100 * time.Millisecond) // creation times have whole seconds
	inline("a-second", "second")
	second := &world{T: t, Client: w.Client, name: "a-second", target: w.target}
	second.eventually("the second one is told", func() bool {
		return second.holds("second") && second.says(keywrightv1alpha1.ConditionGatewayEntry, metav1.ConditionFalse, w.name)
	})
	if ids := entry(); len(ids) != 1 || ids[0] != "z-first" {
		t.Errorf("the entry has %v", ids)
	}
	w.must(w.Delete(t.Context(), first))
	second.eventually("the second one has it", func() bool {
		ids := entry()
		return len(ids) == 1 && ids[0] == "second" && second.says(keywrightv1alpha1.ConditionGatewayEntry, metav1.ConditionTrue, "")
	})
}
