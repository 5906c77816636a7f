package chart

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/issuer/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// cases are sets of values, in testdata/values, and where they are installed.
var cases = map[string]struct{ chart, namespace, release string }{
	"default":         {chart, keyNamespace, "keywright"},
	"everything":      {chart, "keys", "trust"},
	"cert-manager":    {chart, keyNamespace, "keywright"},
	"exchange":        {chart, keyNamespace, "keywright"},
	"ldap":            {chart, keyNamespace, "keywright"},
	"least":           {chart, keyNamespace, "keywright"},
	"own-certificate": {chart, keyNamespace, "keywright"},
	"trusted":         {chart, keyNamespace, "keywright"},
	"customers":       {issuerChart, keyNamespace, "customers"},
	"partners":        {issuerChart, "keys", "partners"},
}

func render(t *testing.T, version, name string) string {
	t.Helper()
	where := cases[name]
	text, err := helm(t, version, "template", where.release, where.chart, "--namespace", where.namespace, "--kube-version", "1.37.2",
		"--values", filepath.Join("testdata", "values", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var secret = regexp.MustCompile(`(?s)((?:tls|ca)\.(?:crt|key): )[A-Za-z0-9+/=]+|(    )-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----`)

// golden is what is compared: without certificates, which differ each time, and without copies of config/, which TestChartEqualsConfig
// compares, but for the case that shows how the namespace goes into them. Alerts and dashboard change often, and have no namespace.
func golden(text, name string) string {
	var kept []string
	for i, document := range strings.Split(text, "---\n# Source: ") {
		copied := strings.HasPrefix(document, "keywright/templates/guards.yaml")
		for _, long := range []string{"\n  groups:\n  - name: keywright", "\n  dashboard.json: |"} {
			document, _, _ = strings.Cut(document, long)
		}
		if i > 0 && (!copied || name == "everything") {
			kept = append(kept, "---\n# Source: "+strings.TrimSpace(document)+"\n") // each Helm leaves other empty lines
		}
	}
	return secret.ReplaceAllString(strings.Join(kept, ""), "${1}${2}(differs each time)")
}

// What the chart renders changes only where a reviewer sees it, and is the same with each version of Helm.
func TestGolden(t *testing.T) {
	for name := range cases {
		for _, version := range helms {
			wantGolden(t, name+".yaml", golden(render(t, version, name), name), version == helms[0])
		}
	}
}

// wantGolden compares with a golden file, or writes it where that is asked for and may be.
func wantGolden(t *testing.T, file, got string, mayUpdate bool) {
	t.Helper()
	path := filepath.Join("testdata", "golden", file)
	if *update && mayUpdate {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-update accepts it):\n%s", file, diff)
	}
}

// foreign are kinds of other projects, which a bare API server does not know.
var foreign = map[string]bool{"PodMonitor": true, "PrometheusRule": true, "Certificate": true}

// limited is how GKE and others keep system-cluster-critical to kube-system: a pod with that class needs a quota for it.
const limited = `apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: ResourceQuota
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: ResourceQuotaConfiguration
    limitedResources:
    - resource: pods
      matchScopes: [{scopeName: PriorityClass, operator: In, values: [system-node-critical, system-cluster-critical]}]
`

// A real API server takes every object, with no field that it does not know, and its pods pass the Pod Security Standard "restricted"
// and need no PriorityClass that is limited.
func TestAPIServerTakesWhatIsRendered(t *testing.T) {
	c := startWith(t, limited, filepath.Join(chart, "crds"), gatewayCRDs(t))
	class := &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: "trust"}, Value: 1}
	if err := c.admin.Create(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	strict := client.WithFieldValidation(c.admin, metav1.FieldValidationStrict)
	for _, where := range cases {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: where.namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}
		if err := c.admin.Create(t.Context(), ns); client.IgnoreAlreadyExists(err) != nil {
			t.Fatal(err)
		}
	}
	for name := range cases {
		pods, seen := 0, 0
		for _, o := range objects(t, render(t, "helm4", name)) {
			if foreign[o.GetKind()] {
				continue
			}
			seen++
			if err := strict.Create(t.Context(), o.DeepCopy(), client.DryRunAll); err != nil {
				t.Errorf("%s: %s: %v", name, title(o), err)
			}
			if o.GetKind() == "Deployment" || o.GetKind() == "Job" {
				pods++
				if err := strict.Create(t.Context(), podOf(t, o), client.DryRunAll); err != nil {
					t.Errorf("%s: a pod of %s: %v", name, title(o), err)
				}
			}
		}
		if wantPods := map[string]int{chart: 2, issuerChart: 1}[cases[name].chart]; seen < 8 || pods < wantPods {
			t.Errorf("%s: only %d objects and %d pods", name, seen, pods)
		}
	}
}

// gatewayCRDs is the directory with the CRDs of the Gateway API's standard channel.
func gatewayCRDs(t *testing.T) string {
	t.Helper()
	directory, err := run(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(directory), "config", "crd", "standard")
}

// podOf is a pod as a Deployment would have one made. A Deployment itself is let in whatever its pods are.
func podOf(t *testing.T, deployment *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	pod, ok, err := unstructured.NestedMap(deployment.Object, "spec", "template")
	if err != nil || !ok {
		t.Fatalf("%s has no template: %v", title(deployment), err)
	}
	pod["apiVersion"], pod["kind"] = "v1", "Pod"
	u := &unstructured.Unstructured{Object: pod}
	u.SetNamespace(deployment.GetNamespace())
	u.SetName(deployment.GetName())
	return u
}

// The issuer reads the configuration that the chart writes.
func TestIssuerTakesItsConfiguration(t *testing.T) {
	for name := range cases {
		for _, o := range objects(t, render(t, "helm3", name)) {
			text, ok, _ := unstructured.NestedString(o.Object, "data", "issuer.yaml")
			if !ok {
				continue
			}
			if _, err := config.Parse([]byte(text)); err != nil {
				t.Errorf("%s: %v\n%s", name, err, text)
			}
		}
	}
}
