package main

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
)

func TestVersion(t *testing.T) {
	plugintest.StartCluster(t)
	for _, p := range []struct{ name, app, component string }{
		{"version-1", "keywright", "controller"},
		{"version-2", "keywright", "controller"},
		{"version-3", "keywright-issuer", "issuer"},
		{"version-4", "other", "controller"},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: p.name, Labels: map[string]string{"app.kubernetes.io/name": p.app, "app.kubernetes.io/component": p.component},
		}}
		pod.Spec.AutomountServiceAccountToken = new(false)
		pod.Spec.Containers = []corev1.Container{{Name: p.component, Image: "registry.example.com/" + p.app + ":v1.2.3"}, {Name: "sidecar", Image: "sidecar:v7"}}
		if err := plugintest.Admin().Create(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = plugintest.Admin().Delete(t.Context(), pod, client.GracePeriodSeconds(0)) })
		pod.Status.Phase = corev1.PodRunning
		if err := plugintest.Admin().Status().Update(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
	}
	out, _, err := plugintest.Run(t, "", "version")
	lines := strings.Split(out, "\n")
	if err != nil || len(lines) != 4 || !strings.HasPrefix(lines[0], "kubectl keywright  ") ||
		lines[1] != "controller         registry.example.com/keywright:v1.2.3         2 pods in namespace default" ||
		lines[2] != "issuer             registry.example.com/keywright-issuer:v1.2.3  1 pod in namespace default" {
		t.Errorf("%v\n%s", err, out)
	}
	out, _, err = plugintest.Run(t, "", "version", "-o", "json")
	var v versions
	if err != nil || json.Unmarshal([]byte(out), &v) != nil || v.ClientVersion == "" || len(v.Images) != 2 || v.Images[0].Pods != 2 {
		t.Errorf("%v\n%s", err, out)
	}
	if out, errOut, err := plugintest.Run(t, "", "version", "--client"); err != nil || strings.Contains(out, "controller") || errOut != "" {
		t.Errorf("--client: %v\n%s%s", err, out, errOut)
	}
	if out, errOut, err := plugintest.RunAs(t, "/nowhere", "", "version"); err != nil || !strings.HasPrefix(out, "kubectl keywright") || !strings.Contains(errOut, "Cannot list the images") {
		t.Errorf("without a cluster: %v\n%s%s", err, out, errOut)
	}
}
