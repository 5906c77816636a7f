package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The examples of docs/reaching-the-issuer.md are values that the chart takes, and a real API server with the CRDs of the Gateway API takes
// what is rendered. Objects of other projects are only rendered.
func TestDocumentedDoors(t *testing.T) {
	c := start(t, gatewayCRDs(t))
	for _, namespace := range []string{keyNamespace, "gateways"} {
		if err := c.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
			t.Fatal(err)
		}
	}
	strict := client.WithFieldValidation(c.admin, metav1.FieldValidationStrict)
	seen := map[string]int{}
	for _, example := range pageBlocks(t, "reaching-the-issuer.md", "yaml") {
		text := example
		if !strings.HasPrefix(example, "apiVersion:") {
			file := filepath.Join(t.TempDir(), "values.yaml")
			if err := os.WriteFile(file, []byte(example), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, version := range helms {
				var err error
				if text, err = template(t, version, "--values", file); err != nil {
					t.Fatalf("%v\n%s", err, example)
				}
			}
		}
		for _, o := range objects(t, text) {
			switch group, _, _ := strings.Cut(o.GetAPIVersion(), "/"); group {
			case "gateway.envoyproxy.io", "traefik.io":
				seen[group]++
			case "networking.k8s.io", "gateway.networking.k8s.io", "v1", "apps":
				seen[o.GetKind()]++
				if err := strict.Create(t.Context(), o, client.DryRunAll); err != nil {
					t.Errorf("%s: %v\n%s", title(o), err, example)
				}
			}
		}
	}
	for _, kind := range []string{"Gateway", "TLSRoute", "HTTPRoute", "BackendTLSPolicy", "Ingress", "traefik.io", "gateway.envoyproxy.io"} {
		if seen[kind] == 0 {
			t.Errorf("the page has no %s", kind)
		}
	}
}
