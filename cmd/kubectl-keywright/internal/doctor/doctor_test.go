package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
)

// Each pod is one that a user could write, and exists on a real API server.
func TestDoctor(t *testing.T) {
	plugintest.CreateSigningKey(t, "doctor") // with a propagationDelay of a second
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "doctor-unselected"}}
	if err := plugintest.Admin().Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	near := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "doctor", Name: "keywright-jwks2"}}
	if err := plugintest.Admin().Create(t.Context(), near); err != nil {
		t.Fatal(err)
	}
	for name, by := range map[string]*metav1.LabelSelector{
		"elsewhere": {MatchLabels: map[string]string{"nobody": "has"}},
		"wrong":     {MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Is", Values: []string{"b"}}}},
	} {
		key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: name}}
		key.Spec.Distribution.NamespaceSelector = by
		if err := plugintest.Admin().Create(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = plugintest.Admin().Delete(context.Background(), key) })
	}
	good := "volumes: [{name: k, projected: {sources: [{configMap: {name: keywright-jwks, optional: false}}]}}]"
	mounts := "volumeMounts: [{name: k, mountPath: /k}]"
	entry := func(name string) string {
		return strings.Replace(good, "optional", "items: [{key: "+name+", path: a}], optional", 1)
	}
	pods := []struct{ name, namespace, container, volumes, finding string }{
		{"good", "doctor", mounts, good, ""},
		{"other", "doctor", "env: [{name: A, value: b}]", "volumes: [{name: k, configMap: {name: other, optional: true}}]", ""},
		{"plain", "doctor", mounts, "volumes: [{name: k, configMap: {name: keywright-jwks}}]", "volume k is a plain configMap volume"},
		{"optional", "doctor", mounts, strings.Replace(good, "false", "true", 1), "volume k has optional: true"},
		{"subpath", "doctor", "volumeMounts: [{name: k, mountPath: /k, subPath: doctor.json}]", good, "container c mounts the keys by subPath"},
		{"env", "doctor", "env: [{name: A, valueFrom: {configMapKeyRef: {name: keywright-jwks, key: doctor.json}}}]", "", "container c reads the keys from environment variables"},
		{"envfrom", "doctor", "envFrom: [{configMapRef: {name: keywright-jwks}}]", "", "container c reads the keys from environment variables"},
		{"entry", "doctor", mounts, entry("doctor.json"), ""},
		{"entry-of-none", "doctor", mounts, entry("doctr.json"), "volume k names the entry doctr.json, which belongs to no SigningKey"},
		{"entry-of-another", "doctor", mounts, entry("elsewhere.json"), "volume k names the entry elsewhere.json, which the ConfigMap keywright-jwks of its namespace does not have"},
		{"mistyped", "doctor", mounts, strings.Replace(good, "-jwks", "-jwk", 1), "volume k names the ConfigMap keywright-jwk, which does not exist: did you mean keywright-jwks?"},
		{"there", "doctor", mounts, strings.Replace(good, "-jwks", "-jwks2", 1), ""},
		{"injected", "doctor", "", "", `its label keywright.dev/inject is "yes", which mounts nothing: set it to "true"`},
		{"lost", "doctor-unselected", mounts, good, ""},
		{"issuer", "keywright-system", mounts, good, ""}, // the key namespace is always a target
	}
	for _, p := range pods {
		var spec corev1.PodSpec
		text := fmt.Sprintf("containers: [{name: c, image: i, %s}]\n%s", p.container, p.volumes)
		if err := yaml.UnmarshalStrict([]byte(text), &spec); err != nil {
			t.Fatalf("%s: %v\n%s", p.name, err, text)
		}
		spec.AutomountServiceAccountToken = new(false)
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: p.name}, Spec: spec}
		if p.name == "injected" {
			pod.Labels = map[string]string{contract.InjectLabel: "yes"}
		}
		if err := plugintest.Admin().Create(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
	}
	out, looked, err := plugintest.Run(t, "", "doctor")
	if err == nil || !strings.Contains(err.Error(), "findings") || !strings.Contains(looked, "Checked 15 pods") {
		t.Errorf("%v %s", err, looked)
	}
	for _, p := range pods {
		about := "pod " + p.namespace + "/" + p.name + ": "
		if n := strings.Count(out, about); (p.finding == "" && n > 0) || (p.finding != "" && (n != 1 || !strings.Contains(out, about+p.finding))) {
			t.Errorf("%s: want %q in\n%s", p.name, p.finding, out)
		}
	}
	for _, want := range []string{
		"namespace doctor-unselected: pods mount keywright-jwks, and neither a SigningKey nor a TrustedIssuer selects it", "SigningKey doctor: its propagationDelay is 1s",
		"SigningKey elsewhere: its distribution.namespaceSelector (nobody=has) selects no namespace: label",
		"SigningKey wrong: its distribution.namespaceSelector is invalid, and selects nothing: ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "namespace doctor:") || strings.Contains(out, "namespace keywright-system: pods mount") {
		t.Errorf("a namespace that is well is named:\n%s", out)
	}
	out, _, err = plugintest.Run(t, "", "doctor", "-n", "doctor-unselected", "-o", "json")
	var said report
	if cli.ExitCode(t.Context(), err) != cli.ExitNegative || json.Unmarshal([]byte(out), &said) != nil || said.LookedAt["pods"] != 1 || said.NotAsked == nil {
		t.Errorf("%v\n%s", err, out)
	}
	if strings.Contains(out, "pod doctor/") || !strings.Contains(strings.Join(said.Findings, "\n"), "namespace doctor-unselected: pods mount") {
		t.Errorf("of one namespace: %v", said.Findings)
	}
}
