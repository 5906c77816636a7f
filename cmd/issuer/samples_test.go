package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/keywright/keywright/controllers/controlplanetest"
	"github.com/keywright/keywright/issuer/server"
)

// installed has the objects of an overlay.
type installed struct {
	deployment    appsv1.Deployment
	configuration corev1.ConfigMap
	network       networkingv1.NetworkPolicy
}

func build(t *testing.T, directory string) *installed {
	t.Helper()
	kubectl := filepath.Join(controlplanetest.Directory(t), "kubectl")
	out, err := exec.CommandContext(t.Context(), kubectl, "kustomize", filepath.Join("..", "..", "config", directory)).Output()
	if err != nil {
		t.Fatal(err, string(out))
	}
	var i installed
	for decoder := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(out))); ; {
		text, err := decoder.Read()
		if errors.Is(err, io.EOF) {
			return &i
		}
		var kind struct{ Kind string }
		if err == nil {
			err = yaml.Unmarshal(text, &kind)
		}
		if into := map[string]any{"Deployment": &i.deployment, "ConfigMap": &i.configuration, "NetworkPolicy": &i.network}[kind.Kind]; into != nil && err == nil {
			err = yaml.UnmarshalStrict(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// provides returns the paths of the files in the pods of a Deployment; "*" is any name.
func (i *installed) provides(t *testing.T) map[string]bool {
	t.Helper()
	pod := i.deployment.Spec.Template.Spec
	sources := map[string][]corev1.VolumeProjection{}
	for _, volume := range pod.Volumes {
		sources[volume.Name] = volume.Projected.Sources
	}
	files := map[string]bool{}
	for _, mount := range pod.Containers[0].VolumeMounts {
		if len(sources[mount.Name]) == 0 {
			t.Errorf("nothing is mounted at %s", mount.MountPath)
		}
		for _, source := range sources[mount.Name] {
			var items []corev1.KeyToPath
			switch {
			case source.ServiceAccountToken != nil:
				items = []corev1.KeyToPath{{Path: source.ServiceAccountToken.Path}}
			case source.Secret != nil:
				items = source.Secret.Items
			case source.ConfigMap != nil:
				items = source.ConfigMap.Items
			}
			if len(items) == 0 {
				items = []corev1.KeyToPath{{Path: "*"}}
			}
			for _, item := range items {
				files[path.Join(mount.MountPath, item.Path)] = true
			}
		}
	}
	if len(pod.Volumes) != len(pod.Containers[0].VolumeMounts) {
		t.Error("a volume is not mounted")
	}
	return files
}

// The issuer accepts the configurations of the samples, and each file that they name is mounted.
func TestSamples(t *testing.T) {
	named := regexp.MustCompile(`: (/var/run/[\w./-]+)`)
	for directory, uses := range map[string]string{
		"issuer":                    "/var/run/keywright/users/users.yaml",
		"samples/issuer-ldap":       "/var/run/keywright/ldap/password",
		"samples/issuer-postgresql": "/var/run/keywright/postgresql/password",
		"samples/issuer-exchange":   "/var/run/keywright/cluster/token",
	} {
		i := build(t, directory)
		text := i.configuration.Data["issuer.yaml"]
		file := filepath.Join(t.TempDir(), "issuer.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := server.ReadConfig(file); err != nil {
			t.Errorf("%s: %v", directory, err)
		}
		files, found := i.provides(t), map[string]bool{}
		for _, match := range named.FindAllStringSubmatch(text, -1) {
			found[match[1]] = true
			if !files[match[1]] && !files[path.Join(path.Dir(match[1]), "*")] && !files[path.Join(match[1], "*")] {
				t.Errorf("%s: %s is not mounted", directory, match[1])
			}
		}
		if connects := directory != "issuer"; connects != (len(i.network.Spec.Egress) > 0) {
			t.Errorf("%s: connects: %v, and may connect: %v", directory, connects, i.network.Spec.Egress)
		}
		if !found[uses] {
			t.Errorf("%s does not use %s", directory, uses)
		}
	}
}
