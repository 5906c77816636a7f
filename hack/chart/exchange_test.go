package chart

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/keywright/keywright/controllers/controlplanetest"
)

// An upgrade that adds token exchange with the API server's keys brings the volume with its CA and a token: the one of config/samples.
func TestTokenExchangeBringsItsVolume(t *testing.T) {
	sample, err := run(t.Context(), filepath.Join(controlplanetest.Directory(t), "kubectl"), "kustomize", filepath.Join(root, "config", "samples", "issuer-exchange"))
	if err != nil {
		t.Fatal(err)
	}
	volume, mount := clusterVolume(t, sample)
	gotVolume, gotMount := clusterVolume(t, render(t, "helm3", "exchange"))
	if diff := cmp.Diff(volume, gotVolume) + cmp.Diff(mount, gotMount); volume == nil || mount == nil || diff != "" {
		t.Errorf("config/samples has -, the chart has +\n%s", diff)
	}
	if volume, mount := clusterVolume(t, render(t, "helm3", "default")); volume != nil || mount != nil {
		t.Errorf("without token exchange: %v %v", volume, mount)
	}
	own, err := template(t, "helm3", "--values", filepath.Join("testdata", "values", "exchange.yaml"), "--set",
		"issuer.extraVolumes[0].name=mine,issuer.extraVolumeMounts[0].name=mine,issuer.extraVolumeMounts[0].mountPath=/var/run/keywright/cluster")
	if err != nil {
		t.Fatal(err)
	}
	if volume, mount := clusterVolume(t, own); volume != nil || mount != nil {
		t.Errorf("with a volume of one's own at the place: %v %v", volume, mount)
	}
}

// clusterVolume is the volume with what the issuer asks the API server with, and its mount.
func clusterVolume(t *testing.T, text string) (volume, mount any) {
	t.Helper()
	named := func(list []any) any {
		for _, item := range list {
			if item.(map[string]any)["name"] == "cluster" {
				return item
			}
		}
		return nil
	}
	for _, o := range objects(t, text) {
		if o.GetKind() != "Deployment" || o.GetName() != "keywright-issuer" {
			continue
		}
		volumes, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "volumes")
		containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
		mounts, _, _ := unstructured.NestedSlice(containers[0].(map[string]any), "volumeMounts")
		return named(volumes), named(mounts)
	}
	t.Fatal("there is no issuer")
	return nil, nil
}
