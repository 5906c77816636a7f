package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/keywright/keywright/controllers/jwk"
	"github.com/keywright/keywright/controllers/rotation"
)

const provider = "https://provider.providers.svc"

// openIDProvider is npm's oidc-provider in a pod. It signs with the first of its keys, and publishes all of them.
type openIDProvider struct {
	*story
	keys []json.RawMessage
}

func (s *story) startProvider(t *testing.T) *openIDProvider {
	t.Helper()
	p := &openIDProvider{story: s}
	s.run(t, "kubectl create namespace providers && kubectl label namespace providers pod-security.kubernetes.io/enforce=restricted")
	p.configure(t)
	s.run(t, "kubectl apply -f "+manifest(t, s.shell, "provider.yaml", map[string]string{"Registry": registry(), "Tag": tag}))
	p.ready(t)
	return p
}

// rotate has the provider sign with a new key, which no pod knows yet.
func (p *openIDProvider) rotate(t *testing.T) {
	t.Helper()
	p.configure(t)
	p.run(t, "kubectl rollout restart -n providers deployment/provider")
	p.ready(t)
}

// configure gives the provider one more key, the first of all.
func (p *openIDProvider) configure(t *testing.T) {
	t.Helper()
	made, err := jwk.Generate(rotation.KeySpec{Algorithm: "ES256"})
	check(t, err)
	p.keys = append([]json.RawMessage{json.RawMessage(made.Private)}, p.keys...)
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(p.directory, name))
		check(t, err)
		return string(b)
	}
	config, err := json.Marshal(map[string]any{
		"issuer": provider, "host": "0.0.0.0", "port": 8443, "cert": read("tls.crt"), "key": read("tls.key"), "jwks": map[string]any{"keys": p.keys},
		"audience": "https://shop.example.com", "lifetime": 900,
	})
	check(t, err)
	p.feed(t, "kubectl create secret generic provider -n providers --from-file=provider.json=/dev/stdin --dry-run=client -o yaml | kubectl apply -f -", string(config))
}

func (p *openIDProvider) ready(t *testing.T) {
	t.Helper()
	p.run(t, "kubectl rollout status -n providers deployment/provider --timeout=2m")
}

// token is an access token of a client of the provider.
func (p *openIDProvider) token(t *testing.T) string {
	t.Helper()
	var answer struct {
		Token string `json:"access_token"`
	}
	check(t, json.Unmarshal([]byte(p.run(t, forward("providers", "deployment/provider", 8443)+
		"curl -sS --cacert services-ca.crt --connect-to provider.providers.svc:443:localhost:8443 -u batch:secret "+provider+"/token -d grant_type=client_credentials -d scope=read")), &answer))
	if answer.Token == "" {
		t.Fatal("the provider gave no token")
	}
	return answer.Token
}
