package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/api/contract"
)

// warnings records the warnings of an API server.
type warnings struct {
	mu  sync.Mutex
	all []string
}

func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, text)
}

func (w *warnings) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := strings.Join(w.all, "\n")
	w.all = nil
	return all
}

// TestInjection creates pods as users write them, and checks the pods that the API server stored.
func TestInjection(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	c.apply(t, "injection")
	heard := &warnings{}
	config := rest.CopyConfig(c.Config)
	config.WarningHandler = heard
	as, err := client.New(config, client.Options{Scheme: c.admin.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	for name, label := range map[string]string{"injected": "true", "plain": ""} {
		c.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{contract.InjectLabel: label}}})
	}
	tries := 0
	until(t, "the policy in force", 30*time.Second, func(ctx context.Context) bool {
		tries++
		probe := pod("injected", fmt.Sprintf("probe-%d", tries), other)
		return as.Create(ctx, probe, client.DryRunAll) == nil && len(probe.Spec.Volumes) == 2
	})
	until(t, "the warnings in force", 30*time.Second, func(ctx context.Context) bool {
		probe := pod("injected", "warned", other)
		probe.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "keys", MountPath: contract.MountPath}}
		return as.Create(ctx, probe, client.DryRunAll) == nil && heard.take() != ""
	})
	for name, c := range map[string]struct {
		namespace, labels, spec string
		// mounts are the expected "container:volume:path", volumes the names of volumes, and warns is a part of the warning.
		mounts, volumes, warns string
	}{
		"asks for itself":                  {"plain", `{keywright.dev/inject: "true"}`, `containers: [{name: a, image: i}]`, "a:ours", "ours", ""},
		"its namespace asks":               {"injected", `{}`, `containers: [{name: a, image: i}]`, "a:ours", "ours", ""},
		"its namespace asks, it does not":  {"injected", `{keywright.dev/inject: "false"}`, `containers: [{name: a, image: i}]`, "", "", ""},
		"nobody asks":                      {"plain", `{}`, `containers: [{name: a, image: i}]`, "", "", ""},
		"two containers, two to begin":     {"injected", `{}`, `{initContainers: [{name: x, image: i}, {name: z, image: i, restartPolicy: Always}], containers: [{name: a, image: i}, {name: b, image: i}]}`, "x:ours z:ours a:ours b:ours", "ours", ""},
		"others' volumes and mounts stay":  {"injected", `{}`, `{volumes: [{name: v, emptyDir: {}}], containers: [{name: a, image: i, volumeMounts: [{name: v, mountPath: /v}]}]}`, "a:v:/v a:ours", "v ours", ""},
		"has it already":                   {"injected", `{}`, `{volumes: [{name: keywright-jwks, projected: {sources: [{configMap: {name: keywright-jwks, optional: false}}]}}], containers: [{name: a, image: i, volumeMounts: [{name: keywright-jwks, mountPath: /var/run/keywright/jwks}]}]}`, "a:ours", "ours", ""},
		"has it for one container of two":  {"injected", `{}`, `{volumes: [{name: keywright-jwks, projected: {sources: [{configMap: {name: keywright-jwks, optional: false}}]}}], containers: [{name: a, image: i, volumeMounts: [{name: keywright-jwks, mountPath: /var/run/keywright/jwks}]}, {name: b, image: i}]}`, "a:ours b:ours", "ours", ""},
		"mounts something else there":      {"injected", `{}`, `{volumes: [{name: v, emptyDir: {}}], containers: [{name: a, image: i, volumeMounts: [{name: v, mountPath: /var/run/keywright/jwks}]}, {name: b, image: i}]}`, "a:v:/var/run/keywright/jwks b:ours", "v ours", "has another mount at"},
		"mounts something else, slash":     {"injected", `{}`, `{volumes: [{name: v, emptyDir: {}}], containers: [{name: a, image: i, volumeMounts: [{name: v, mountPath: /var/run/keywright/jwks/}]}]}`, "a:v:/var/run/keywright/jwks/", "v ours", "has another mount at"},
		"has another volume of that name":  {"injected", `{}`, `{volumes: [{name: keywright-jwks, emptyDir: {}}], containers: [{name: a, image: i}]}`, "a:ours", "ours", "is not the projected ConfigMap"},
		"has an optional one of that name": {"injected", `{}`, `{volumes: [{name: keywright-jwks, projected: {sources: [{configMap: {name: keywright-jwks, optional: true}}]}}], containers: [{name: a, image: i}]}`, "a:ours", "ours", "is not the projected ConfigMap"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &corev1.Pod{}
			text := "metadata: {labels: " + c.labels + "}\nspec: {" + strings.TrimSuffix(strings.TrimPrefix(c.spec, "{"), "}") + "}"
			if err := yaml.UnmarshalStrict([]byte(text), p); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			p.Namespace, p.GenerateName = c.namespace, "injection-"
			heard.take()
			if err := as.Create(t.Context(), p, client.DryRunAll); err != nil {
				t.Fatal(err)
			}
			if got := heard.take(); (c.warns == "" && got != "") || !strings.Contains(got, c.warns) {
				t.Errorf("warned %q, want %q", got, c.warns)
			}
			if diff := cmp.Diff(c.mounts, mountsOf(p)); diff != "" {
				t.Errorf("mounts (-want +got):\n%s", diff)
			}
			var volumes []string
			for _, v := range p.Spec.Volumes {
				volumes = append(volumes, strings.Replace(v.Name, contract.JWKSConfigMap, "ours", 1))
			}
			if diff := cmp.Diff(c.volumes, strings.Join(volumes, " ")); diff != "" {
				t.Errorf("volumes (-want +got):\n%s", diff)
			}
		})
	}
	changesNothingLater(t, as)
	t.Run("mirror pods are left alone", func(t *testing.T) {
		p := pod("injected", "mirror", other)
		p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
		p.Spec.NodeName = "node"
		if err := as.Create(t.Context(), p, client.DryRunAll); err != nil || len(p.Spec.Volumes) != 1 {
			t.Errorf("%v %v", err, p.Spec.Volumes)
		}
	})
}

// changesNothingLater updates a pod that was created before its namespace got the label.
func changesNothingLater(t *testing.T, as client.Client) {
	t.Helper()
	old := pod("plain", "old", other)
	if err := as.Create(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	old.Labels = map[string]string{contract.InjectLabel: "true"}
	if err := as.Update(t.Context(), old); err != nil || len(old.Spec.Volumes) != 1 {
		t.Errorf("an update was changed: %v %v", err, old.Spec.Volumes)
	}
}

// mountsOf lists the mounts of a pod, its own as container:ours.
func mountsOf(p *corev1.Pod) string {
	var all []string
	for _, c := range append(append([]corev1.Container{}, p.Spec.InitContainers...), p.Spec.Containers...) {
		for _, m := range c.VolumeMounts {
			text := c.Name + ":" + m.Name + ":" + m.MountPath
			if m.Name == contract.JWKSConfigMap && m.MountPath == contract.MountPath {
				text = c.Name + ":ours"
			}
			all = append(all, text)
		}
	}
	return strings.Join(all, " ")
}
