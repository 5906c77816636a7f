package istio

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// cluster is a real API server with the CRDs of Keywright and of Istio, and the controller.
type cluster struct {
	dynamic.Interface
	// said is what the controller wrote.
	said *bytes.Buffer
}

// assets returns where the binaries of the control plane are. Without them the test is skipped.
func assets(t *testing.T) string {
	t.Helper()
	if named := os.Getenv("KUBEBUILDER_ASSETS"); named != "" {
		return named
	}
	built, err := filepath.Glob("../../bin/controlplane/v*/kube-apiserver")
	if err != nil || len(built) == 0 {
		if os.Getenv("REQUIRE_CONTROLPLANE") != "" {
			t.Fatal("there is no control plane: run `make controlplane`")
		}
		t.Skip("there is no control plane: run `make controlplane`")
	}
	path, err := filepath.Abs(filepath.Dir(built[len(built)-1]))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// start starts a cluster that stops with the test.
func start(t *testing.T) *cluster {
	t.Helper()
	env := &envtest.Environment{
		BinaryAssetsDirectory: assets(t), ErrorIfCRDPathMissing: true,
		CRDDirectoryPaths: []string{"../../config/crd", "../../controllers/istio/testdata"},
	}
	cfg, err := env.Start()
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{said: &bytes.Buffer{}}
	if c.Interface, err = dynamic.NewForConfig(cfg); err != nil {
		t.Fatal(err)
	}
	for namespace, labels := range map[string]map[string]string{"keywright-system": nil, "shop": {"trusts": "all", "mesh": "in"}} {
		ns := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace"}}
		ns.SetName(namespace)
		ns.SetLabels(labels)
		c.create(t, ns)
	}
	user, err := env.AddUser(envtest.User{Name: "controller", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := user.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	c.run(t, kubeconfig)
	return c
}

// run builds the controller and runs it until the test ends.
func (c *cluster) run(t *testing.T, kubeconfig []byte) {
	t.Helper()
	directory := t.TempDir()
	binary, config := filepath.Join(directory, "controller"), filepath.Join(directory, "kubeconfig")
	if err := os.WriteFile(config, kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "-C", "../..", "build", "-o", binary, "./cmd/controller").CombinedOutput(); err != nil {
		t.Fatalf("build the controller: %v\n%s", err, out)
	}
	cmd := exec.Command(binary, "--kubeconfig", config, "--istio", "--leader-elect=false", "--metrics-bind-address=", "--health-probe-bind-address=")
	cmd.Stdout, cmd.Stderr = c.said, c.said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the controller said:\n%s", c.said)
		}
	})
}

// signingKey is rotated on request only, and fast. Its public keys are for Istio.
func signingKey(name, algorithm string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "keywright.dev/v1alpha1", "kind": "SigningKey", "spec": map[string]any{
		"algorithm": algorithm, "deletionPolicy": "Delete", "rotation": map[string]any{"mode": "Manual"},
		"token":        map[string]any{"maxLifetime": "1h", "clockSkew": "1s"},
		"distribution": map[string]any{"propagationDelay": "1s", "namespaceSelector": matching("trusts", "all")},
		"outputs": map[string]any{"istio": map[string]any{
			"issuer": issuer, "audiences": []any{"https://orders.example.com"}, "selector": matching("mesh", "in"),
		}},
	}}}
	o.SetName(name)
	return o
}

func matching(label, value string) map[string]any {
	return map[string]any{"matchLabels": map[string]any{label: value}}
}

// of returns the resource of a kind.
func (c *cluster) of(group, version, resource string) dynamic.NamespaceableResourceInterface {
	return c.Resource(schema.GroupVersionResource{Group: group, Version: version, Resource: resource})
}

func (c *cluster) signingKeys() dynamic.ResourceInterface {
	return c.of("keywright.dev", "v1alpha1", "signingkeys")
}

func (c *cluster) create(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	into := c.signingKeys()
	if o.GetKind() == "Namespace" {
		into = c.of("", "v1", "namespaces")
	}
	if _, err := into.Create(t.Context(), o, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) delete(t *testing.T, name string) {
	t.Helper()
	if err := c.signingKeys().Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) patch(t *testing.T, name, patch string) {
	t.Helper()
	if _, err := c.signingKeys().Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) rotate(t *testing.T, name string) {
	t.Helper()
	c.patch(t, name, `{"metadata":{"annotations":{"keywright.dev/rotate-requested-at":"`+time.Now().UTC().Format(time.RFC3339)+`"}}}`)
}

// requestAuthentication returns that of a SigningKey in the namespace shop.
func (c *cluster) requestAuthentication(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	o, err := c.of("security.istio.io", "v1", "requestauthentications").Namespace("shop").Get(t.Context(), "keywright-"+name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (c *cluster) exists(t *testing.T, name string) bool {
	t.Helper()
	_, err := c.of("security.istio.io", "v1", "requestauthentications").Namespace("shop").Get(t.Context(), "keywright-"+name, metav1.GetOptions{})
	return err == nil
}

// file returns the key set of the ConfigMap.
func (c *cluster) file(t *testing.T, name string) string {
	t.Helper()
	o, err := c.of("", "v1", "configmaps").Namespace("shop").Get(t.Context(), "keywright-jwks", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := unstructured.NestedString(o.Object, "data", name+".json")
	return text
}

func (c *cluster) status(t *testing.T, name string) map[string]any {
	t.Helper()
	o, err := c.signingKeys().Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	status, _, _ := unstructured.NestedMap(o.Object, "status")
	return status
}

func (c *cluster) activeKey(t *testing.T, name string) string {
	t.Helper()
	kid, _ := c.status(t, name)["activeKeyID"].(string)
	return kid
}

func (c *cluster) publishedKeys(t *testing.T, name string) (all []string) {
	t.Helper()
	keys, _ := c.status(t, name)["keys"].([]any)
	for _, k := range keys {
		kid, _ := k.(map[string]any)["keyID"].(string)
		all = append(all, kid)
	}
	return all
}

func (c *cluster) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !is() {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			t.Fatalf("within 30 s not: %s", strings.TrimSpace(what))
		}
	}
}
