package doctor

import (
	"context"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
)

// Two Leases are two installations of Keywright, of which only one can run.
func TestDoctorFindsTwoInstallations(t *testing.T) {
	const says = "there are Leases keywright-controller in the namespaces"
	if out, _, _ := plugintest.Run(t, "", "doctor"); strings.Contains(out, says) {
		t.Errorf("with one:\n%s", out)
	}
	other := plugintest.Lease("default")
	if err := plugintest.Admin().Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plugintest.Admin().Delete(context.Background(), other) })
	if out, _, _ := plugintest.Run(t, "", "doctor"); !strings.Contains(out, says) {
		t.Errorf("with two:\n%s", out)
	}
	if out, _, _ := plugintest.Run(t, "", "doctor", "--key-namespace", "keywright-system"); strings.Contains(out, says) || strings.Contains(out, "no controller is running") {
		t.Errorf("with one that is named:\n%s", out)
	}
}

// doctor reports a SigningKey with a fault, and not one that is being prepared or drained.
func TestKeyFindings(t *testing.T) {
	of := func(kind string, is metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: is, Reason: reason, Message: "message"}
	}
	for want, conditions := range map[string][]metav1.Condition{
		"": {of("Ready", metav1.ConditionTrue, "Signing")}, " ": {of("Ready", metav1.ConditionFalse, "Starting")}, "  ": {of("Ready", metav1.ConditionFalse, "Draining")},
		"Ready is Unknown (Pending): message":            {of("Ready", metav1.ConditionUnknown, "Pending")},
		"Ready is Unknown (ControllerStopped): message":  {of("Ready", metav1.ConditionUnknown, "ControllerStopped")},
		"Ready is False (KeysLost): message":             {of("Ready", metav1.ConditionFalse, "KeysLost")},
		"its CA is not distributed (CAInvalid): message": {of("Ready", metav1.ConditionTrue, "Signing"), of("CADistributed", metav1.ConditionFalse, "CAInvalid")},
		"it is stalled (KeysLost): message":              {of("Ready", metav1.ConditionFalse, "KeysLost"), of("Stalled", metav1.ConditionTrue, "KeysLost")},
		"it has no condition Ready":                      nil,
	} {
		key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "k"}}
		key.Status.Conditions = conditions
		want = strings.TrimSpace(want)
		if got := keyFindings(key); (want == "") != (len(got) == 0) || (want != "" && !strings.HasPrefix(got[0], "SigningKey k: "+want)) {
			t.Errorf("%+v: %q, want %q", conditions, got, want)
		}
	}
}

func TestIstioFinding(t *testing.T) {
	for reason, want := range map[string]bool{
		keywrightv1alpha1.ReasonIstioNotEnabled: true, keywrightv1alpha1.ReasonIstioForbidden: true, keywrightv1alpha1.ReasonInvalidSelector: true,
		keywrightv1alpha1.ReasonTargetsBehind: false, "": false,
	} {
		key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "k"}}
		key.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Signing"}}
		if reason != "" {
			key.Status.Conditions = append(key.Status.Conditions, metav1.Condition{Type: "IstioDistributed", Status: metav1.ConditionFalse, Reason: reason, Message: "message"})
		}
		got := keyFindings(key)
		if want != (len(got) == 1 && got[0] == "SigningKey k: Istio proxies do not get its keys ("+reason+"): message") || !want && len(got) != 0 {
			t.Errorf("%s: %q", reason, got)
		}
	}
}
