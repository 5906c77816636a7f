package chart

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestLint(t *testing.T) {
	for _, version := range helms {
		for name, where := range map[string]string{"default": chart, "customers": issuerChart} {
			out, err := helm(t, version, "lint", "--strict", "--kube-version", "1.37.2", where, "--values", filepath.Join("testdata", "values", name+".yaml"))
			if err != nil || strings.Contains(out, "WARNING") {
				t.Errorf("%v\n%s", err, out)
			}
		}
	}
}

// Artifact Hub reads annotations, some of which are YAML in YAML. The example is the SigningKey that the chart makes, and the images
// are those that it runs.
func TestArtifactHubAnnotations(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(chart, "Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var about struct {
		AppVersion  string
		Annotations map[string]string
	}
	if err := yaml.Unmarshal(text, &about); err != nil {
		t.Fatal(err)
	}
	var examples []*unstructured.Unstructured
	var images []struct {
		Name, Image string
		Platforms   []string
	}
	var crds []struct{ Kind, Version, Name, DisplayName, Description string }
	for name, into := range map[string]any{"crdsExamples": &examples, "images": &images, "crds": &crds} {
		if err := yaml.UnmarshalStrict([]byte(about.Annotations["artifacthub.io/"+name]), into, yaml.DisallowUnknownFields); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	rendered, err := template(t, "helm3", "--set", "trustedIssuers.enabled=true")
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range images {
		if !strings.Contains(rendered, "image: "+image.Image+"\n") {
			t.Errorf("the chart does not run %s", image.Image)
		}
	}
	for _, o := range objects(t, rendered) {
		if o.GetKind() != "SigningKey" {
			continue
		}
		o.SetAnnotations(nil)
		if len(examples) != 1 || !equal(o, examples[0]) {
			t.Errorf("the example is not the SigningKey of the chart:\n%v\n%v", examples, o)
		}
	}
	var names []string
	for _, crd := range crds {
		names = append(names, crd.Name)
	}
	if len(images) != 3 || !slices.Equal(names, []string{"signingkeys.keywright.dev", "revocations.keywright.dev", "trustedissuers.keywright.dev"}) {
		t.Errorf("%v\n%v", images, crds)
	}
}

// The two charts are released together, and the second one runs the image that its annotation names.
func TestChartsHaveOneVersion(t *testing.T) {
	type about struct {
		Version, AppVersion, KubeVersion string
		Annotations                      map[string]string
	}
	var of [2]about
	for i, where := range []string{chart, issuerChart} {
		text, err := os.ReadFile(filepath.Join(where, "Chart.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, &of[i]); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := of[0], of[1]; a.Version != b.Version || a.AppVersion != b.AppVersion || a.KubeVersion != b.KubeVersion || a.Version == "" {
		t.Errorf("%s %s %s and %s %s %s", a.Version, a.AppVersion, a.KubeVersion, b.Version, b.AppVersion, b.KubeVersion)
	}
	var images []struct{ Image string }
	if err := yaml.Unmarshal([]byte(of[1].Annotations["artifacthub.io/images"]), &images); err != nil || len(images) != 1 {
		t.Fatalf("%v %v", images, err)
	}
	if !strings.Contains(render(t, "helm3", "customers"), "image: "+images[0].Image+"\n") {
		t.Errorf("the chart does not run %s", images[0].Image)
	}
}
