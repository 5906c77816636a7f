package istio

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	jwtauthn "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	security "istio.io/api/security/v1beta1"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/networking/core"
	"istio.io/istio/pilot/pkg/security/authn"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/schema/gvk"
	"istio.io/istio/pkg/config/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// given returns the providers that pilot sends to the proxies of a namespace, by issuer. Istiod's webhook would let the objects in.
func given(t *testing.T, namespace string, proxy model.NodeType, objects ...*unstructured.Unstructured) map[string]*jwtauthn.JwtProvider {
	t.Helper()
	var configs []config.Config
	for _, o := range objects {
		b, err := json.Marshal(o.Object["spec"])
		if err != nil {
			t.Fatal(err)
		}
		var spec security.RequestAuthentication
		if err := spec.UnmarshalJSON(b); err != nil {
			t.Fatal(err)
		}
		c := config.Config{Meta: config.Meta{GroupVersionKind: gvk.RequestAuthentication, Namespace: o.GetNamespace(), Name: o.GetName()}, Spec: &spec}
		if _, err := validation.ValidateRequestAuthentication(c); err != nil {
			t.Errorf("istiod would refuse %s: %v\n%s", o.GetName(), err, b)
		}
		configs = append(configs, c)
	}
	pilot := core.NewConfigGenTest(t, core.TestOptions{Configs: configs})
	of := pilot.SetupProxy(&model.Proxy{
		Type: proxy, ConfigNamespace: namespace, Labels: map[string]string{"app": "orders"}, Metadata: &model.NodeMetadata{Namespace: namespace},
	})
	filter := authn.NewPolicyApplier(pilot.PushContext(), of, nil).JwtFilter(false)
	by := map[string]*jwtauthn.JwtProvider{}
	if filter == nil {
		return by
	}
	var all jwtauthn.JwtAuthentication
	if err := filter.GetTypedConfig().UnmarshalTo(&all); err != nil {
		t.Fatal(err)
	}
	for _, p := range all.GetProviders() {
		by[p.GetIssuer()] = p
	}
	return by
}

const issuer = "https://issuer.example.com"

// keys returns the JWKS that Envoy is given of the SigningKey main in the namespace shop.
func (c *cluster) keys(t *testing.T) string {
	t.Helper()
	p := given(t, "shop", model.SidecarProxy, c.requestAuthentication(t, "main"))[issuer]
	if p == nil || !p.GetForward() || !slices.Equal(p.GetAudiences(), []string{"https://orders.example.com"}) {
		t.Fatalf("Envoy is given %v", p)
	}
	return p.GetLocalJwks().GetInlineString()
}

// What pilot sends to Envoy is the file, and has each key before it signs and no key after it was revoked.
func TestPilotGivesProxiesTheFile(t *testing.T) {
	c := start(t)
	c.create(t, signingKey("main", "ES256"))
	c.until(t, "main signs, and a Standby waits", func() bool { return c.activeKey(t, "main") != "" && len(c.publishedKeys(t, "main")) == 2 })
	c.until(t, "Envoy has the file", func() bool { return c.exists(t, "main") && c.keys(t) == c.file(t, "main") })
	first, before := c.activeKey(t, "main"), c.keys(t)
	for _, kid := range c.publishedKeys(t, "main") {
		if !strings.Contains(before, kid) {
			t.Errorf("Envoy lacks %s", kid)
		}
	}
	c.rotate(t, "main")
	c.until(t, "the next key signs", func() bool { return c.activeKey(t, "main") != first })
	second := c.activeKey(t, "main")
	if !strings.Contains(before, second) {
		t.Error("a key signs that Envoy did not have before")
	}
	c.until(t, "Envoy has the next file", func() bool { return c.keys(t) == c.file(t, "main") })
	if after := c.keys(t); after == before || !strings.Contains(after, second) {
		t.Errorf("after the rotation Envoy has\n%s, before it\n%s", after, before)
	}
	c.patch(t, "main", `{"spec":{"revokedKeyIDs":["`+second+`"]}}`)
	c.until(t, "Envoy has the file without the key", func() bool { return !strings.Contains(c.keys(t), second) && c.keys(t) == c.file(t, "main") })
	t.Run("OtherIssuers", func(t *testing.T) {
		other := c.requestAuthentication(t, "main")
		other.SetName("other")
		other.Object["spec"] = map[string]any{"jwtRules": []any{map[string]any{"issuer": "https://other.example.com", "jwks": c.file(t, "main")}}}
		if both := given(t, "shop", model.SidecarProxy, c.requestAuthentication(t, "main"), other); len(both) != 2 {
			t.Errorf("with a RequestAuthentication of another issuer Envoy is given %v", both)
		}
	})
	t.Run("Elsewhere", func(t *testing.T) {
		if other := given(t, "warehouse", model.SidecarProxy, c.requestAuthentication(t, "main")); len(other) != 0 {
			t.Errorf("the proxies of another namespace are given %v", other)
		}
	})
}

// Istiod lets in the keys of every algorithm, and the tombstones that end them.
func TestPilotTakesEveryAlgorithmAndTombstone(t *testing.T) {
	c := start(t)
	for _, algorithm := range []string{"ES256", "ES384", "ES512", "EdDSA", "RS256"} {
		t.Run(algorithm, func(t *testing.T) {
			name := strings.ToLower(algorithm)
			c.create(t, signingKey(name, algorithm))
			c.until(t, "it is given", func() bool { return c.exists(t, name) })
			keys := given(t, "shop", model.SidecarProxy, c.requestAuthentication(t, name))[issuer].GetLocalJwks().GetInlineString()
			c.delete(t, name)
			var end string
			c.until(t, "the tombstone is given", func() bool {
				end = given(t, "shop", model.SidecarProxy, c.requestAuthentication(t, name))[issuer].GetLocalJwks().GetInlineString()
				return end != keys && strings.Count(end, `"kid"`) == 1
			})
		})
	}
}
