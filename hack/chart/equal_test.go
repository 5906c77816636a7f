package chart

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/controllers/controlplanetest"
)

func equal(a, b *unstructured.Unstructured) bool { return cmp.Equal(a.Object, b.Object) }

// config/ and the chart install the same, object by object and field by field.
func TestChartEqualsConfig(t *testing.T) {
	for name, c := range map[string]struct {
		bases []string
		set   string
	}{
		"default":    {[]string{"default"}, "image.tag="},
		"nudge":      {[]string{"nudge"}, "controller.nudgeAllPods=true"},
		"istio":      {[]string{"istio"}, "outputs.istio.enabled=true"},
		"fetcher":    {[]string{"default", "fetcher"}, "trustedIssuers.enabled=true"},
		"injection":  {[]string{"default", "injection"}, "injection.enabled=true"},
		"monitoring": {[]string{"default", "monitoring"}, "monitoring.podMonitor.enabled=true,monitoring.rules.enabled=true,monitoring.dashboard.enabled=true"},
	} {
		t.Run(name, func(t *testing.T) {
			want := byTitle(t, customized(t, c.bases...))
			rendered, err := template(t, "helm4", "--set", c.set)
			if err != nil {
				t.Fatal(err)
			}
			// What runs when the release is gone is Helm's alone.
			got := byTitle(t, slices.DeleteFunc(objects(t, rendered), func(o *unstructured.Unstructured) bool { return o.GetAnnotations()["helm.sh/hook"] != "" }))
			// Helm installs crds/ by itself, and makes the namespace with --create-namespace.
			delete(want, "Namespace "+keyNamespace)
			delete(want, "CustomResourceDefinition signingkeys.keywright.dev")
			delete(want, "CustomResourceDefinition revocations.keywright.dev")
			delete(want, "CustomResourceDefinition trustedissuers.keywright.dev")
			// config/ leaves the certificate of the issuer to whoever applies it.
			for _, certificate := range []string{"Secret keywright-system/keywright-issuer-ca", "ConfigMap keywright-system/keywright-issuer-ca", "Secret keywright-system/keywright-issuer-tls"} {
				if got[certificate] == nil {
					t.Errorf("the chart makes no %s", certificate)
				}
				delete(got, certificate)
			}
			// So it has no CA that the SigningKey could name.
			distribution := got["SigningKey main"]["spec"].(map[string]any)["distribution"].(map[string]any)
			if diff := cmp.Diff(map[string]any{"name": "keywright-issuer-ca"}, distribution["caConfigMap"]); diff != "" {
				t.Errorf("the chart distributes another CA than the one that it makes: %s", diff)
			}
			delete(distribution, "caConfigMap")
			for _, title := range slices.Sorted(maps.Keys(want)) {
				if diff := cmp.Diff(want[title], got[title]); diff != "" {
					t.Errorf("%s: config/ has -, the chart has +\n%s", title, diff)
				}
				delete(got, title)
			}
			for title := range got {
				t.Errorf("config/ has no %s", title)
			}
		})
	}
}

func TestChartHasTheCRDs(t *testing.T) {
	for _, name := range []string{"keywright.dev_signingkeys.yaml", "keywright.dev_revocations.yaml", "keywright.dev_trustedissuers.yaml"} {
		want, err1 := os.ReadFile(filepath.Join(root, "config/crd", name))
		got, err2 := os.ReadFile(filepath.Join(chart, "crds", name))
		if err1 != nil || err2 != nil || string(want) != string(got) {
			t.Errorf("run `make generate`: %v %v", err1, err2)
		}
	}
}

// customized is what an operator applies: bases of config/, and the SigningKey of the samples.
func customized(t *testing.T, bases ...string) []*unstructured.Unstructured {
	t.Helper()
	sample, err := os.ReadFile(filepath.Join(root, "config/samples/signingkey.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	all := objects(t, string(sample))
	for _, base := range bases {
		text, err := run(t.Context(), filepath.Join(controlplanetest.Directory(t), "kubectl"), "kustomize", filepath.Join(root, "config", base))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, objects(t, text)...)
	}
	return all
}

// byTitle indexes objects, without what Helm adds of its own, and with the issuer's configuration as a value in place of a text.
func byTitle(t *testing.T, all []*unstructured.Unstructured) map[string]map[string]any {
	t.Helper()
	of := map[string]map[string]any{}
	for _, o := range all {
		o.SetLabels(without(o.GetLabels(), "helm.sh/chart", "app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by"))
		o.SetAnnotations(without(o.GetAnnotations(), "helm.sh/resource-policy"))
		pods := []string{"spec", "template", "metadata", "annotations"}
		if annotations, ok, _ := unstructured.NestedStringMap(o.Object, pods...); ok {
			unstructured.RemoveNestedField(o.Object, pods...)
			if rest := without(annotations, "checksum/restart"); rest != nil {
				t.Errorf("%s annotates its pods with %v", title(o), rest)
			}
		}
		if text, ok, _ := unstructured.NestedString(o.Object, "data", "issuer.yaml"); ok {
			var value map[string]any
			if err := yaml.Unmarshal([]byte(text), &value); err != nil {
				t.Fatal(err)
			}
			o.Object["data"].(map[string]any)["issuer.yaml"] = value
		}
		if text, ok, _ := unstructured.NestedString(o.Object, "data", "dashboard.json"); ok {
			o.Object["data"].(map[string]any)["dashboard.json"] = strings.TrimSpace(text)
		}
		o.Object = folded(o.Object).(map[string]any)
		if of[title(o)] != nil {
			t.Errorf("there are two of %s", title(o))
		}
		of[title(o)] = o.Object
	}
	return of
}

// folded makes one line break of several in each text: kustomize writes folded texts that have indented lines with more of them.
func folded(value any) any {
	switch value := value.(type) {
	case string:
		return breaks.ReplaceAllString(value, "\n")
	case []any:
		for i := range value {
			value[i] = folded(value[i])
		}
	case map[string]any:
		for key := range value {
			value[key] = folded(value[key])
		}
	}
	return value
}

var breaks = regexp.MustCompile(`\n+`)

// without leaves keys out of a map, and returns nil if nothing is left.
func without(m map[string]string, keys ...string) map[string]string {
	maps.DeleteFunc(m, func(k, _ string) bool { return slices.Contains(keys, k) })
	if len(m) == 0 {
		return nil
	}
	return m
}
