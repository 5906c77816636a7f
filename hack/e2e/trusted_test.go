package e2e

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/keywright/keywright/hack/e2e/report"
)

// trust has the fetcher read the keys of the API server, and a pod read the key of a ServiceAccount's token in its file. Without the fetcher, the
// file stays; without the TrustedIssuer, the pod trusts nobody.
func (s *story) trust(t *testing.T) {
	var metadata struct{ Issuer string }
	check(t, json.Unmarshal([]byte(s.run(t, "kubectl get --raw /.well-known/openid-configuration")), &metadata))
	s.run(t, "kubectl apply -f "+manifest(t, s.shell, "trusted.yaml", map[string]string{"Registry": registry(), "Tag": tag, "Issuer": metadata.Issuer}))
	s.run(t, "kubectl rollout status -n keywright-system deployment/keywright-fetcher --timeout=2m")
	s.run(t, "kubectl wait --for=condition=Ready trustedissuer/cluster --timeout=1m")
	s.run(t, "kubectl rollout status -n trusting deployment/reader --timeout=2m")
	kid := headerOf(t, strings.TrimSpace(s.run(t, "kubectl create token default -n trusting --audience https://shop.example.com"))).KeyID
	s.until(t, "a pod has the key of a ServiceAccount's token", func() bool { return s.trusting(t)["+"+kid] > 0 })
	if out := s.run(t, "kubectl keywright status"); !strings.Contains(out, "TrustedIssuer cluster, "+metadata.Issuer) || !strings.Contains(out, kid) {
		t.Errorf("status says:\n%s", out)
	}
	t.Logf("fetcher at rest: %s", s.run(t, "p=$(kubectl get pods -n keywright-system -l app.kubernetes.io/component=fetcher -o jsonpath='{.items[0].metadata.name}'); "+
		"kubectl get --raw /api/v1/namespaces/keywright-system/pods/$p:8080/proxy/metrics | awk '/^process_resident_memory_bytes/ {printf \"%.1f MiB\", $2/1048576}'"))
	s.run(t, "kubectl scale -n keywright-system deployment/keywright-fetcher --replicas=0")
	s.run(t, "kubectl rollout restart -n trusting deployment/reader && kubectl rollout status -n trusting deployment/reader --timeout=2m")
	s.until(t, "a pod that starts without the fetcher has the key", func() bool { return s.trusting(t)["+"+kid] > 0 })
	s.run(t, "kubectl scale -n keywright-system deployment/keywright-fetcher --replicas=1")
	s.run(t, "kubectl delete trustedissuer cluster")
	s.until(t, "a pod trusts nobody", func() bool { return s.trusting(t)["-"+kid] > 0 })
	s.run(t, "kubectl delete namespace trusting --timeout=1m")
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
