package interop

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/hack/interop/rotated"
)

// gateway is what the SecurityPolicy of the page is for.
const gateway = `---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: eg}
spec: {controllerName: gateway.envoyproxy.io/gatewayclass-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: eg, namespace: orders}
spec:
  gatewayClassName: eg
  listeners: [{name: http, protocol: HTTP, port: 80}]
---
apiVersion: v1
kind: Namespace
metadata: {name: orders}
---
apiVersion: v1
kind: Service
metadata: {name: orders, namespace: orders}
spec:
  clusterIP: 10.0.0.1
  ports: [{name: http, port: 80, targetPort: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: orders, namespace: orders}
spec:
  parentRefs: [{name: eg}]
  rules: [{backendRefs: [{name: orders, port: 80}]}]
---
`

// egctl has the translator of Envoy Gateway, of the version that the page names. It takes many minutes to build: `make gateways` does.
func egctl(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", "egctl"))
	check(t, err)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if os.Getenv("REQUIRE_EGCTL") != "" {
		t.Fatal("bin/egctl is not there")
	}
	t.Skip("bin/egctl is not there: `make gateways` builds it, which takes many minutes")
	return ""
}

// Envoy Gateway sends its proxies the keys of the gateway entry of our ConfigMap, through a rotation, a revocation and the end of trust.
func TestEnvoyGateway(t *testing.T) {
	t.Parallel()
	program := egctl(t)
	_, policy, _ := strings.Cut(example(t, "envoy-gateway"), "---\n")
	w, other := rotated.New(t, "ES256"), rotated.New(t, "ES256")
	var set string
	sent := func(files map[string]string) []string {
		t.Helper()
		cm := corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, Data: files}
		cm.Name, cm.Namespace = contract.JWKSConfigMap, "orders"
		manifest, err := yaml.Marshal(cm)
		check(t, err)
		directory := write(t, map[string]string{"in.yaml": gateway + policy + "---\n" + string(manifest)})
		out, err := exec.Command(program, "experimental", "translate", "--from=gateway-api", "--to=xds", "--type=all", "--output=json", "--file", filepath.Join(directory, "in.yaml")).Output()
		check(t, err)
		local := regexp.MustCompile(`"localJwks":\s*{\s*"inlineString":\s*("(?:[^"\\]|\\.)*")`).FindAllSubmatch(out, -1)
		if len(local) != 1 {
			t.Fatalf("%d key sets are sent:\n%s", len(local), out)
		}
		check(t, json.Unmarshal(local[0][1], &set))
		return issuerfiles.KeyIDs([]byte(set))
	}
	with := func(entry bool) map[string]string {
		files := map[string]string{"main" + contract.JWKSSuffix: string(w.JWKS()), "berlin" + contract.JWKSSuffix: string(other.JWKS())}
		if entry {
			files[contract.GatewayFile] = files["main"+contract.JWKSSuffix]
		}
		return files
	}
	if got := sent(with(true)); !slices.Contains(got, w.KeyID()) || slices.Contains(got, other.KeyID()) {
		t.Errorf("with the entry it sends %v", got)
	}
	// The translator takes any file then. In a cluster, Envoy Gateway keeps none but the first of the alphabet, as the page says.
	if got := sent(with(false)); slices.Contains(got, w.KeyID()) == slices.Contains(got, other.KeyID()) {
		t.Errorf("without the entry it sends %v, of %s and %s", got, w.KeyID(), other.KeyID())
	}
	retired := w.Rotate()
	if got := sent(with(true)); !slices.Contains(got, w.KeyID()) || !slices.Contains(got, retired) {
		t.Errorf("after a rotation it sends %v", got)
	}
	revoked := w.KeyID()
	w.Revoke(revoked)
	if got := sent(with(true)); slices.Contains(got, revoked) || !slices.Contains(got, w.KeyID()) {
		t.Errorf("after a revocation it sends %v", got)
	}
	w.Delete()
	if sent(with(true)); !issuerfiles.TrustsNobody(set) {
		t.Errorf("after the deletion it sends %s", set)
	}
}
