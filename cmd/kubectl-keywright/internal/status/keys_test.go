package status

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
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
	if out, err := keysWithoutLeases(t, "keys"); err != nil || !strings.Contains(out, key.Status.ActiveKeyID) {
		t.Errorf("with the right to read the ConfigMap alone: %v\n%s", err, out)
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
	if out, _, err := plugintest.Run(t, "", "__complete", "keys", ""); err != nil || !strings.Contains(out, "keys\n") || !strings.Contains(out, "keys-elsewhere\n") {
		t.Errorf("completion: %v\n%s", err, out)
	}
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

// keysWithoutLeases runs keys as a user who may read the ConfigMap with the keys, and nothing else.
func keysWithoutLeases(t *testing.T, name string) (string, error) {
	t.Helper()
	kubeconfig, err := plugintest.KubeconfigFor("keys-reader")
	if err != nil {
		t.Fatal(err)
	}
	meta := metav1.ObjectMeta{Namespace: cli.DefaultKeyNamespace, Name: "keys-reader"}
	for _, object := range []client.Object{
		&rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{contract.JWKSConfigMap}, Verbs: []string{"get"},
		}}},
		&rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: meta.Name}},
		},
	} {
		if err := plugintest.Admin().Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	var out string
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) { // until the authorizer knows the Role
		if out, _, err = plugintest.RunAs(t, kubeconfig, "", "keys", name); err == nil || time.Now().After(deadline) {
			return out, err
		}
	}
}
