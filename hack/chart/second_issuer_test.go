package chart

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A second issuer is installed as docs/second-issuer.md says, beside the first one. Neither's tokens are accepted as the other's.
func TestSecondIssuer(t *testing.T) {
	values, commands := pageBlocks(t, "second-issuer.md", "yaml"), pageBlocks(t, "second-issuer.md", "sh")
	if len(values) != 1 || len(commands) != 3 {
		t.Fatalf("docs/second-issuer.md has other blocks than this test knows: %q %q", values, commands)
	}
	file := filepath.Join(t.TempDir(), "customers.yaml")
	if err := os.WriteFile(file, []byte(values[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	controller := filepath.Join(t.TempDir(), "controller")
	if _, err := run(t.Context(), "go", "build", "-C", root, "-o", controller, "./cmd/controller"); err != nil {
		t.Fatal(err)
	}
	c := start(t)
	c.kubernetes(t, controller, keyNamespace)
	c.label(t, "default", "keywright.dev/verify", "true")
	second := []string{"install", "customers", issuerChart, "--kubeconfig", c.kubeconfig, "--values", file}
	_, err := helm(t, "helm4", append(second, "--namespace", "default")...)
	if err == nil || !strings.Contains(err.Error(), "no controller of Keywright is in the namespace default") {
		t.Errorf("without a controller: %v", err)
	}
	c.mustHelm(t, "helm4", "install", chart, "-n", keyNamespace, "--create-namespace")
	c.runController(t, controller, keyNamespace)
	c.shell(t, "helm4", strings.ReplaceAll(commands[0], "customers.yaml", file))
	if out, err := helm(t, "helm3", "install", "partners", issuerChart, "--kubeconfig", c.kubeconfig, "-n", keyNamespace, "--set", "signingKey.name=partners"); err != nil {
		t.Error(out, err)
	}
	_, err = helm(t, "helm3", "install", "thief", issuerChart, "--kubeconfig", c.kubeconfig, "-n", keyNamespace, "--set", "signingKey.name=main")
	if err == nil || !strings.Contains(err.Error(), "cannot be imported into the current release") {
		t.Errorf("with the SigningKey of another release: %v", err)
	}
	c.wantTrust(t)
	c.wantCA(t, keyNamespace, "default", "main", "keywright-issuer-ca")
	c.wantCA(t, keyNamespace, "default", "customers", "customers-issuer-ca")
	c.wantApart(t, "keywright-issuer", "customers-issuer", "partners-issuer")
	c.wantGuarded(t)
	c.wantOwnTokens(t, map[string]string{"main": "keywright-issuer", "customers": "customers-issuer"})

	c.shell(t, "helm4", commands[1])
	for kind, name := range map[string]string{"Secret": "customers-issuer-ca", "ConfigMap": "customers-issuer-ca", "ServiceAccount": "keywright-issuer", "Service": "partners-issuer"} {
		if c.get(t, "v1", kind, keyNamespace, name) == nil {
			t.Errorf("the %s %s is gone with the second issuer", kind, name)
		}
	}
	if c.get(t, "keywright.dev/v1alpha1", "SigningKey", "", "customers") == nil {
		t.Error("the SigningKey is gone with its issuer")
	}
	if c.get(t, "apps/v1", "Deployment", keyNamespace, "customers-issuer") != nil {
		t.Error("the second issuer is still there")
	}
}

// wantApart wants each Service, NetworkPolicy, budget and Deployment to select the pods of its own issuer, and no other's.
func (c *cluster) wantApart(t *testing.T, issuers ...string) {
	t.Helper()
	pods := map[string]labels.Set{}
	for _, issuer := range issuers {
		pod := podOf(t, c.get(t, "apps/v1", "Deployment", keyNamespace, issuer))
		pods[issuer] = pod.GetLabels()
		if account, _, _ := unstructured.NestedString(pod.Object, "spec", "serviceAccountName"); account != issuer {
			t.Errorf("%s runs as %s", issuer, account)
		}
	}
	for kind, selector := range map[[2]string][]string{
		{"v1", "Service"}: {"spec", "selector"}, {"networking.k8s.io/v1", "NetworkPolicy"}: {"spec", "podSelector", "matchLabels"},
		{"policy/v1", "PodDisruptionBudget"}: {"spec", "selector", "matchLabels"}, {"apps/v1", "Deployment"}: {"spec", "selector", "matchLabels"},
	} {
		for _, issuer := range issuers {
			of, found, err := unstructured.NestedStringMap(c.get(t, kind[0], kind[1], keyNamespace, issuer).Object, selector...)
			if !found || err != nil {
				t.Fatalf("%s %s selects nothing: %v", kind[1], issuer, err)
			}
			for other, pod := range pods {
				if selects := labels.SelectorFromSet(of).Matches(pod); selects != (other == issuer) {
					t.Errorf("%s %s selects the pods of %s: %v", kind[1], issuer, other, selects)
				}
			}
		}
	}
}

// wantGuarded wants somebody who may mount the SigningKey customers to be able to deploy its issuer, and refused with the key of another.
func (c *cluster) wantGuarded(t *testing.T) {
	t.Helper()
	as := c.customersAdmin(t)
	deployment := c.get(t, "apps/v1", "Deployment", keyNamespace, "customers-issuer")
	deployment = &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "another", "namespace": keyNamespace}, "spec": deployment.Object["spec"],
	}}
	if err := as.Create(t.Context(), deployment.DeepCopy(), client.DryRunAll); err != nil {
		t.Errorf("who may mount customers: %v", err)
	}
	volumes, _, _ := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "volumes")
	changed := 0
	for _, volume := range volumes {
		sources, _, _ := unstructured.NestedSlice(volume.(map[string]any), "projected", "sources")
		for _, source := range sources {
			if name, _, _ := unstructured.NestedString(source.(map[string]any), "secret", "name"); name == "customers-signing-key" {
				_ = unstructured.SetNestedField(source.(map[string]any), "main-signing-key", "secret", "name")
				changed++
			}
		}
		_ = unstructured.SetNestedSlice(volume.(map[string]any), sources, "projected", "sources")
	}
	_ = unstructured.SetNestedSlice(deployment.Object, volumes, "spec", "template", "spec", "volumes")
	err := as.Create(t.Context(), deployment, client.DryRunAll)
	if changed != 1 || err == nil || !strings.Contains(err.Error(), `requires the right to "mount" the SigningKey`) {
		t.Errorf("who may mount customers alone deploys a pod with the key of main: %v", err)
	}
	for _, o := range objects(t, c.kubectl(t, "get", "roles,rolebindings,clusterrolebindings", "-A", "-o", "yaml")) {
		items, _, _ := unstructured.NestedSlice(o.Object, "items")
		if slices.ContainsFunc(items, func(item any) bool {
			subjects, _, _ := unstructured.NestedSlice(item.(map[string]any), "subjects")
			return slices.ContainsFunc(subjects, func(s any) bool { return strings.HasSuffix(s.(map[string]any)["name"].(string), "-issuer") })
		}) {
			t.Error("the ServiceAccount of an issuer has a role")
		}
	}
}

// customersAdmin is somebody who may deploy into the key namespace, and mount the SigningKey customers.
func (c *cluster) customersAdmin(t *testing.T) client.Client {
	t.Helper()
	const name = "customers-admin"
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	c.save(t, name, kubeconfig, "system:authenticated")
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"create"}},
		{APIGroups: []string{"keywright.dev"}, Resources: []string{"signingkeys"}, ResourceNames: []string{"customers"}, Verbs: []string{"mount"}},
	}}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: name}},
	}
	for _, o := range []client.Object{role, binding} {
		if err := c.admin.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	as, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return as
}
