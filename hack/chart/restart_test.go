package chart

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The pods of the issuer are replaced for a change that it does not follow by itself (TestNeedsRestart of issuer/config has the list), and
// for no other.
func TestIssuerIsRestartedWhereItMustBe(t *testing.T) {
	const exchange = "issuer.networkPolicy.enabled=false,issuer.config.tokenExchange[0].name=a,issuer.config.tokenExchange[0].keys.url=https://k,issuer.config.tokenExchange[0].issuer=https://a"
	base, exchanges := issuerPods(t, "issuer.enabled=true"), issuerPods(t, exchange)
	for set, restarts := range map[string]bool{
		"issuer.url=https://issuer.example.com":                                     true,
		"issuer.config.server.maxConnections=5":                                     true,
		"issuer.config.server.pprof=true":                                           true,
		"issuer.config.users.ldap.url=ldaps://a,issuer.networkPolicy.enabled=false": true,
		postgresql + ",issuer.networkPolicy.enabled=false,issuer.extraVolumeMounts[0].name=x,issuer.extraVolumeMounts[0].mountPath=/x": true,
		"issuer.config.login.failuresPerUser.burst=9": true,
		exchange:                           true,
		"issuer.config.server.drainFor=9s": false,
		"issuer.config.token.lifetime=1m":  false,
		"issuer.config.server.tokenEndpointAliases[0]=https://a":                                    false,
		"issuer.config.clients[0].id=another,issuer.config.clients[0].grantTypes[0]=password":       false,
		"issuer.config.server.trustedProxies[0]=10.0.0.0/8":                                         false,
		"issuer.config.server.proxyProtocol=true,issuer.config.server.trustedProxies[0]=10.0.0.0/8": false,
		"issuer.replicas=9": false,
	} {
		if got := issuerPods(t, set) != base; got != restarts {
			t.Errorf("%s: restarts: %v", set, got)
		}
	}
	if issuerPods(t, exchange+",issuer.config.tokenExchange[0].issuer=https://b") == exchanges {
		t.Error("another issuer of foreign tokens does not restart it")
	}
	if issuerPods(t, exchange+",issuer.config.tokenExchange[0].allow=true") != exchanges {
		t.Error("another rule for foreign tokens restarts it")
	}
}

// issuerPods is what makes Kubernetes replace the pods when it changes.
func issuerPods(t *testing.T, set string) string {
	t.Helper()
	text, err := template(t, "helm4", "--set", set)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects(t, text) {
		if o.GetKind() == "Deployment" && o.GetName() == "keywright-issuer" {
			checksum, _, _ := unstructured.NestedString(o.Object, "spec", "template", "metadata", "annotations", "checksum/restart")
			return checksum
		}
	}
	t.Fatal("there is no issuer")
	return ""
}
