package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// secondIssuer installs another issuer beside the first one, finds that neither's tokens are accepted as the other's, and takes it away.
func (s *story) secondIssuer(t *testing.T) {
	s.run(t, "helm install customers ./issuer-chart -n keywright-system --wait --timeout 3m -f customers.yaml --set image.tag="+tag+
		" --set image.registry="+strings.TrimSuffix(registry(), "/"))
	s.run(t, "kubectl wait --for=condition=Ready --timeout=1m signingkey/customers")
	s.run(t, "helm test customers -n keywright-system")
	var answer struct {
		Token string `json:"access_token"`
	}
	check(t, json.Unmarshal([]byte(s.run(t, forward("keywright-system", "deployment/customers-issuer", 8443)+
		"curl -sk -u batch:"+clientSecret+" https://localhost:8443/token -d grant_type=client_credentials")), &answer))
	for _, c := range []struct {
		token, key, issuer string
		accepted           bool
	}{
		{answer.Token, "customers", "https://login.example.com", true},
		{answer.Token, "main", issuer, false},
		{answer.Token, "main", "https://login.example.com", false},
		{s.logIn(t), "main", issuer, true},
		{s.logIn(t), "customers", "https://login.example.com", false},
		{s.logIn(t), "customers", issuer, false},
	} {
		out, err := s.try("kubectl keywright verify - -n default --signing-key "+c.key+" --issuer "+c.issuer+" --audience https://shop.example.com", c.token)
		if accepted := err == nil; accepted != c.accepted {
			t.Errorf("with the keys of %s, as of %s: %v\n%s", c.key, c.issuer, err, out)
		}
	}
	s.run(t, "helm uninstall customers -n keywright-system --wait")
	s.run(t, "kubectl delete signingkey customers --timeout=2m")
}
