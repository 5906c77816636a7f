package status

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
	"github.com/keywright/keywright/verifier"
)

// keys prints what verifiers read: the Active key, and the Standby a whole interval before it signs.
func TestKeys(t *testing.T) {
	key := plugintest.CreateSigningKey(t, "keys")
	out, _, err := plugintest.Run(t, "", "keys", "keys", "-o", "jwks")
	if err != nil {
		t.Fatal(err)
	}
	set, err := verifier.ParseKeySet([]byte(out))
	if err != nil || len(set.KeyIDs()) != 2 || !slices.Contains(set.KeyIDs(), key.Status.ActiveKeyID) {
		t.Errorf("%v %v\n%s", set, err, out)
	}
	if out, _, err = plugintest.Run(t, "", "keys", "keys"); err != nil || !strings.Contains(out, key.Status.ActiveKeyID+"  ES256      EC") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, _, err = plugintest.Run(t, "", "keys", "nobody"); err == nil || !strings.Contains(err.Error(), "kubectl get") {
		t.Error(err)
	}
	ti := &keywrightv1alpha1.TrustedIssuer{ObjectMeta: metav1.ObjectMeta{Name: "keys-elsewhere"}}
	set2, _, err := plugintest.Run(t, "", "keys", "keys", "-o", "jwks")
	if err != nil {
		t.Fatal(err)
	}
	ti.Spec.Issuer, ti.Spec.Keys.Inline = "https://elsewhere.example", set2
	ti.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	if err := plugintest.Admin().Create(t.Context(), ti); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plugintest.Admin().Delete(context.Background(), ti); err != nil {
			t.Error(err)
		}
	})
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		out, _, err = plugintest.Run(t, "", "status")
		if err == nil && strings.Contains(out, "TrustedIssuer keys-elsewhere") && strings.Contains(out, "is a key of the SigningKey keys") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("status says %v\n%s", err, out)
		}
	}
}
