package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/hack/e2e/report"
)

// The pod that trusts others has a service for the tokens of each.
const clusterPort, providerPort = 9443, 9444

// trust has the fetcher read the keys of the API server and of an OpenID provider, and a pod verify tokens of both by its files: through a rotation
// of each, and through an outage of the provider. Without the fetcher, the files stay; without the TrustedIssuer, the pod trusts nobody.
func (s *story) trust(t *testing.T) {
	var metadata struct{ Issuer string }
	check(t, json.Unmarshal([]byte(s.run(t, "kubectl get --raw /.well-known/openid-configuration")), &metadata))
	p := s.startProvider(t)
	s.run(t, "kubectl create configmap provider-ca -n keywright-system --from-file=ca.crt=services-ca.crt")
	s.run(t, "kubectl create namespace trusting && kubectl create secret tls tls -n trusting --cert=tls.crt --key=tls.key")
	s.run(t, "kubectl apply -f "+manifest(t, s.shell, "trusted.yaml", map[string]string{
		"Registry": registry(), "Tag": tag, "Issuer": metadata.Issuer, "Provider": provider,
		"ClusterPort": strconv.Itoa(clusterPort), "ProviderPort": strconv.Itoa(providerPort),
	}))
	s.run(t, "kubectl rollout status -n keywright-system deployment/keywright-fetcher --timeout=2m")
	s.run(t, "kubectl wait --for=condition=Ready trustedissuer/cluster trustedissuer/provider --timeout=1m")
	s.run(t, "kubectl rollout status -n trusting deployment/reader --timeout=2m")
	before := map[int]string{clusterPort: s.serviceAccountToken(t), providerPort: p.token(t)}
	kid := headerOf(t, before[clusterPort]).KeyID
	if out := s.run(t, "kubectl keywright status"); !strings.Contains(out, "TrustedIssuer cluster, "+metadata.Issuer) || !strings.Contains(out, kid) {
		t.Errorf("status says:\n%s", out)
	}
	t.Logf("fetcher at rest: %s", s.run(t, "p=$(kubectl get pods -n keywright-system -l app.kubernetes.io/component=fetcher -o jsonpath='{.items[0].metadata.name}'); "+
		"kubectl get --raw /api/v1/namespaces/keywright-system/pods/$p:8080/proxy/metrics | awk '/^process_resident_memory_bytes/ {printf \"%.1f MiB\", $2/1048576}'"))
	s.trusts(t, "before a rotation", before)

	p.rotate(t)
	if s.node.ours() {
		s.node.run(t, "rotate")
		s.eventually(t, "kubectl get --raw /readyz", func(out string) bool { return out == "ok" })
	}
	after := map[int]string{clusterPort: s.serviceAccountToken(t), providerPort: p.token(t)}
	if next := headerOf(t, after[clusterPort]).KeyID; s.node.ours() == (next == kid) {
		t.Errorf("the API server signs with %s after %s", next, kid)
	}
	s.trusts(t, "after a rotation", after)
	s.trusts(t, "of the key before", before)

	s.run(t, "kubectl scale -n providers deployment/provider --replicas=0")
	s.run(t, "kubectl wait --for=condition=Stale trustedissuer/provider --timeout=3m")
	s.trusts(t, "while the provider is away", after)
	s.run(t, "kubectl scale -n keywright-system deployment/keywright-fetcher --replicas=0")
	s.run(t, "kubectl rollout restart -n trusting deployment/reader && kubectl rollout status -n trusting deployment/reader --timeout=2m")
	s.trusts(t, "in a pod that starts without provider and fetcher", after)
	s.run(t, "kubectl scale -n keywright-system deployment/keywright-fetcher --replicas=1")

	if s.node.ours() && s.panels(t, func(expression string) bool { return strings.Contains(expression, ofTrustedIssuers) }) == 0 {
		t.Error("the dashboard shows nothing of TrustedIssuers")
	}
	s.until(t, "a pod has the key", func() bool { return s.trusting(t)["+"+kid] > 0 })
	s.run(t, "kubectl delete trustedissuer cluster provider")
	s.until(t, "a pod trusts nobody", func() bool { return s.trusting(t)["-"+kid] > 0 })
	s.until(t, "a pod refuses the tokens of the provider", func() bool { return !s.accepts(t, providerPort, after[providerPort]) })
	s.run(t, "kubectl delete configmap provider-ca -n keywright-system && kubectl delete namespace trusting providers --timeout=1m")
}

// trusts waits until the pod accepts tokens of both issuers: files of a fetch, or of a kubelet, may be about to come.
func (s *story) trusts(t *testing.T, which string, tokens map[int]string) {
	t.Helper()
	began := time.Now()
	for port, token := range tokens {
		s.until(t, "a pod accepts the token "+which, func() bool { return s.accepts(t, port, token) })
	}
	t.Logf("%s: the tokens of both are accepted after %.1f s", which, time.Since(began).Seconds())
}

func (s *story) accepts(t *testing.T, port int, token string) bool {
	t.Helper()
	return strings.Contains(s.feed(t, forward("trusting", "deployment/reader", port)+fmt.Sprintf(
		`curl -sS --cacert services-ca.crt --connect-to shop.shop.svc:443:localhost:%d https://shop.shop.svc/ -H "Authorization: Bearer $(cat)"`, port), token), "hello ")
}

func (s *story) serviceAccountToken(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(s.run(t, "kubectl create token default -n trusting --audience https://shop.example.com"))
}

// trusting is what a pod has seen of the key set of the API server.
func (s *story) trusting(t *testing.T) report.Seen {
	t.Helper()
	var seen report.Seen
	out, err := s.try("kubectl get --raw /api/v1/namespaces/trusting/pods/$(kubectl get pods -n trusting -l app=reader --field-selector=status.phase=Running -o name | tail -1 | cut -d/ -f2):8080/proxy/seen", "")
	if err != nil {
		return nil
	}
	check(t, json.Unmarshal([]byte(out), &seen))
	return seen
}

// headerOf reads the header of a JWT.
func headerOf(t *testing.T, token string) (header struct {
	KeyID string `json:"kid"`
},
) {
	t.Helper()
	first, _, _ := strings.Cut(token, ".")
	b, err := base64.RawURLEncoding.DecodeString(first)
	check(t, err)
	check(t, json.Unmarshal(b, &header))
	return header
}
