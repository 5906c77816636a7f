package chart

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The SigningKey names the CA that the chart makes, in the namespace and under the name that it has, and else what the values name.
func TestCAIsDistributed(t *testing.T) {
	const certManager = "issuer.tls.certManager.enabled=true,issuer.tls.certManager.issuerRef.name=b"
	for name, c := range map[string]struct {
		chart, set string
		want       any
	}{
		"the chart's CA":                        {chart, "", map[string]any{"name": "keywright-issuer-ca"}},
		"that of a second issuer":               {issuerChart, "signingKey.name=customers", map[string]any{"name": "keywright-issuer-ca"}},
		"none":                                  {chart, "signingKey.spec.distribution.caConfigMap=null", nil},
		"no issuer":                             {chart, "issuer.enabled=false", nil},
		"cert-manager":                          {chart, certManager, nil},
		"a Secret of one's own":                 {chart, "issuer.tls.secretName=x", nil},
		"a ConfigMap of one's own":              {chart, "signingKey.spec.distribution.caConfigMap.name=x", map[string]any{"name": "x"}},
		"cert-manager, and a ConfigMap":         {chart, certManager + ",signingKey.spec.distribution.caConfigMap.name=x,signingKey.spec.distribution.caConfigMap.key=y", map[string]any{"name": "x", "key": "y"}},
		"no issuer, and a ConfigMap of another": {chart, "issuer.enabled=false,signingKey.spec.distribution.caConfigMap.name=x", map[string]any{"name": "x"}},
	} {
		for _, version := range helms {
			rendered, err := helm(t, version, "template", "keywright", c.chart, "--namespace", "keys", "--kube-version", "1.37.2", "--set", c.set)
			if err != nil {
				t.Fatal(name, err)
			}
			var got any
			sources := map[string]bool{}
			for _, o := range objects(t, rendered) {
				switch o.GetKind() {
				case "SigningKey":
					got, _, _ = unstructured.NestedFieldCopy(o.Object, "spec", "distribution", "caConfigMap")
				case "ConfigMap":
					if ca, has, _ := unstructured.NestedString(o.Object, "data", "ca.crt"); has && ca != "" && o.GetLabels()["keywright.dev/role"] == "issuer-ca" {
						sources[o.GetNamespace()+"/"+o.GetName()] = o.GetAnnotations()["helm.sh/resource-policy"] == "keep"
					}
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s with %s: %s", version, name, diff)
			}
			if diff := cmp.Diff(map[string]any{"name": "keywright-issuer-ca"}, got); diff == "" && !sources["keys/keywright-issuer-ca"] {
				t.Errorf("%s with %s: the SigningKey names a ConfigMap that there is not, or that goes with the release", version, name)
			}
		}
	}
}

// wantCA waits for the CA of a ConfigMap to be where the keys are: whoever mounts them needs nothing else to ask the issuer.
func (c *cluster) wantCA(t *testing.T, in, namespace, signingKey, configMap string) {
	t.Helper()
	source, _, _ := unstructured.NestedString(orEmpty(c.get(t, "v1", "ConfigMap", in, configMap)), "data", "ca.crt")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		files, _, _ := unstructured.NestedStringMap(orEmpty(c.get(t, "v1", "ConfigMap", namespace, "keywright-jwks")), "data")
		if got := files[signingKey+".tls-ca.crt"]; got != "" && got == strings.TrimSpace(source)+"\n" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the CA of %s is %q, and the namespace %s has %v", configMap, source, namespace, files)
		}
	}
}
