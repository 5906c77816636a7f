package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// exchange has the pod of docs/pods.md, in a namespace that is not the issuer's, trade the token of its ServiceAccount. It has its own mounts and no
// Secret. With the CA of somebody else it does not send the token.
func (s *story) exchange(t *testing.T) {
	const failing = "client-with-another-ca"
	check(t, os.WriteFile(filepath.Join(s.directory, "client.yaml"), documentedPod(t, "client"), 0o600))
	check(t, os.WriteFile(filepath.Join(s.directory, failing+".yaml"), documentedPod(t, failing, "-ca=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"), 0o600))
	s.run(t, "kubectl apply -f client.yaml -f "+failing+".yaml")
	s.run(t, "kubectl wait -n shop pod/client --for=jsonpath='{.status.phase}'=Succeeded --timeout=2m")
	token := strings.TrimSpace(s.run(t, "kubectl logs -n shop client | tail -1"))
	verify := "kubectl keywright verify - -n shop --signing-key main --issuer " + issuer + " --audience https://shop.example.com"
	t.Logf("%s", s.feed(t, verify, token))
	if got := claimsOf(t, token).Subject; got != "cluster:system:serviceaccount:shop:default" {
		t.Errorf("the token is about %s", got)
	}
	if out := s.call(t, "shop", token); !strings.Contains(out, "hello ") {
		t.Errorf("a service refuses it: %s", out)
	}
	s.run(t, "kubectl wait -n shop pod/"+failing+" --for=jsonpath='{.status.phase}'=Failed --timeout=2m")
	if out := s.run(t, "kubectl logs -n shop "+failing); !strings.Contains(out, "certificate signed by unknown authority") {
		t.Errorf("with another CA: %s", out)
	}
	s.run(t, "kubectl delete pod -n shop client "+failing+" --wait=false")
}

// documentedPod is the pod of docs/pods.md with the issuer and the image of this cluster, as the namespace wants it, under a name.
func documentedPod(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "pods.md"))
	check(t, err)
	block := regexp.MustCompile("(?s)```yaml\n(apiVersion: v1\nkind: Pod\n.*?)```").FindSubmatch(page)
	if block == nil || !strings.Contains(string(block[1]), "https://issuer.example.com") {
		t.Fatal("docs/pods.md has no pod with an issuer")
	}
	var pod map[string]any
	check(t, yaml.Unmarshal([]byte(strings.ReplaceAll(string(block[1]), "https://issuer.example.com", issuer)), &pod))
	pod["metadata"].(map[string]any)["name"] = name
	spec := pod["spec"].(map[string]any)
	spec["restartPolicy"] = "Never"
	spec["securityContext"] = map[string]any{"runAsNonRoot": true, "seccompProfile": map[string]any{"type": "RuntimeDefault"}}
	if args != nil { // the CA of the API server is where Kubernetes mounts it
		spec["automountServiceAccountToken"] = true
	}
	container := spec["containers"].([]any)[0].(map[string]any)
	container["image"] = registry() + "keywright-e2e:" + tag
	container["command"] = append([]string{"/exchange", "-issuer=" + issuer}, args...)
	container["securityContext"] = map[string]any{"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": map[string]any{"drop": []string{"ALL"}}}
	text, err := yaml.Marshal(pod)
	check(t, err)
	return text
}
