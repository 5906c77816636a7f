package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/hack/e2e/report"
)

// tombstone is the kid of the key that stands in a set of EdDSA keys when nobody is to be trusted any more.
const tombstone = "SIfUM4lSDom_WpyzJqdwgSTXa6rlFwRoohCkzXgESm8"

const (
	clientSecret = "a-secret-of-the-partners-batch-client"
	partners     = "kubectl get signingkey partners "
)

// tokenStatus asks the issuer of the partners for a token, and prints the status of the answer.
var tokenStatus = forward("keywright-system", "deployment/partners-issuer", 8443) +
	"curl -sk -o /dev/null -w '%{http_code}' -u batch:" + clientSecret + " https://localhost:8443/token -d grant_type=client_credentials"

// applyPartners applies them, and returns when their issuer gives tokens and a pod has read the keys. It returns the kid that signs.
func (s *story) applyPartners(t *testing.T, policy keywrightv1alpha1.DeletionPolicy) string {
	t.Helper()
	s.run(t, "kubectl apply -f "+manifest(t, s.shell, "partners.yaml", map[string]string{
		"Registry": registry(), "Tag": tag, "Policy": string(policy), "Digest": fmt.Sprintf("%x", sha256.Sum256([]byte(clientSecret))),
	}))
	s.run(t, "kubectl wait --for=condition=Ready signingkey/partners --timeout=1m")
	for _, deployment := range []string{"-n keywright-system deployment/partners-issuer", "-n ending deployment/reader"} {
		s.run(t, "kubectl rollout status --timeout=2m "+deployment)
	}
	s.eventually(t, tokenStatus, func(out string) bool { return out == "200" })
	kid := s.partner(t).Status.ActiveKeyID
	s.until(t, "a pod has the key", func() bool { return s.reader(t)["+"+kid] > 0 })
	return kid
}

func (s *story) partner(t *testing.T) (k keywrightv1alpha1.SigningKey) {
	t.Helper()
	check(t, json.Unmarshal([]byte(s.run(t, partners+"-o json")), &k))
	return k
}

// reader is what a pod has seen of the key set of the partners.
func (s *story) reader(t *testing.T) report.Seen {
	t.Helper()
	var seen report.Seen
	out, err := s.try("kubectl get --raw /api/v1/namespaces/ending/pods/$(kubectl get pods -n ending -l app=reader -o name | cut -d/ -f2):8080/proxy/seen", "")
	if err != nil {
		return nil
	}
	check(t, json.Unmarshal([]byte(out), &seen))
	return seen
}

// leaves waits until a pod trusts nobody any more, and says how long that took.
func (s *story) leaves(t *testing.T, kid string, began time.Time) {
	t.Helper()
	s.until(t, "a pod trusts nobody", func() bool { seen := s.reader(t); return seen["-"+kid] > 0 && seen["+"+tombstone] > 0 })
	t.Logf("%.1f s until a pod trusted nobody", time.Since(began).Seconds())
}

// drain deletes a SigningKey whose tokens run out: nothing is signed from now on, also by an issuer that starts, and the keys stay.
func (s *story) drain(t *testing.T) {
	kid := s.applyPartners(t, keywrightv1alpha1.Drain)
	began := time.Now()
	s.run(t, "kubectl delete signingkey partners --wait=false")
	s.eventually(t, tokenStatus, func(out string) bool { return out == "503" })
	t.Logf("%.1f s until nothing was signed", time.Since(began).Seconds())
	s.run(t, "kubectl rollout restart -n keywright-system deployment/partners-issuer && kubectl rollout status -n keywright-system deployment/partners-issuer --timeout=1m")
	if out := s.run(t, tokenStatus); out != "503" {
		t.Errorf("an issuer that starts while the SigningKey drains answers %s", out)
	}
	s.leaves(t, kid, began)
	if least := 10 * time.Second; time.Since(began) < least {
		t.Errorf("the keys left before %v: a token may have lived", least)
	}
	s.run(t, "kubectl wait --for=delete signingkey/partners --timeout=1m")
}

// deselect takes the label from a namespace: its pods keep the keys while tokens live, then they are told to trust nobody.
func (s *story) deselect(t *testing.T) {
	kid := s.applyPartners(t, keywrightv1alpha1.Retain)
	began := time.Now()
	s.run(t, "kubectl label namespace ending partners-")
	s.leaves(t, kid, began)
	if least := 15 * time.Second; time.Since(began) < least {
		t.Errorf("the keys left before %v: a token may have lived", least)
	}
	s.run(t, "kubectl label namespace ending partners=true")
}

// revokeImmutable revokes a key whose Secret nobody can write. Its kubelet no longer looks at it, so the issuer must hear of it otherwise.
func (s *story) revokeImmutable(t *testing.T) {
	kid := s.applyPartners(t, keywrightv1alpha1.Retain)
	s.run(t, `kubectl patch secret partners-signing-key -n keywright-system --type merge -p '{"immutable":true}'`)
	began := time.Now()
	s.run(t, "kubectl keywright revoke partners "+kid+" --yes --no-wait")
	s.eventually(t, tokenStatus, func(out string) bool { return out == "503" })
	t.Logf("%.1f s until no issuer signed with it", time.Since(began).Seconds())
	s.until(t, "the key has left the file of a pod", func() bool { return s.reader(t)["-"+kid] > 0 })
	s.eventually(t, partners+`-o jsonpath='{.status.conditions[?(@.type=="Ready")].reason}'`, func(out string) bool { return out == "WriteRefused" })
	if r := s.partner(t).Status.Revocations; len(r) != 1 || !strings.Contains(r[0].Problem, "immutable") {
		t.Errorf("the receipt is %+v", r)
	}
	// As the run-book says.
	s.run(t, "kubectl delete secret partners-signing-key -n keywright-system")
	s.eventually(t, "kubectl get secret partners-signing-key -n keywright-system", func(string) bool { return true })
	s.run(t, "kubectl scale -n keywright-system deployment/partners-issuer --replicas=0")
	s.eventually(t, "kubectl get pods -n keywright-system -l app=partners-issuer -o name", func(out string) bool { return out == "" })
	s.run(t, "kubectl scale -n keywright-system deployment/partners-issuer --replicas=1")
	s.run(t, "kubectl wait --for=condition=Ready signingkey/partners --timeout=1m")
	if next := s.applyPartners(t, keywrightv1alpha1.Retain); next == kid {
		t.Error("the revoked key signs")
	}
}

// withoutController revokes while no controller runs: that is said, and carried out when one is back.
func (s *story) withoutController(t *testing.T) {
	kid := s.applyPartners(t, keywrightv1alpha1.Retain)
	s.run(t, "kubectl scale -n keywright-system deployment/keywright-controller --replicas=0")
	s.eventually(t, "kubectl get pods -n keywright-system -l app.kubernetes.io/component=controller -o name", func(out string) bool { return out == "" })
	out, _ := s.try("timeout 20 kubectl keywright revoke partners "+kid+" --yes", "")
	if !strings.Contains(out, "o controller is running") || strings.Contains(out, "Removed from the files of") {
		t.Errorf("revoke says, while no controller runs:\n%s", out)
	}
	if out, _ := s.try("kubectl keywright status partners", ""); !strings.Contains(out, "controller") {
		t.Errorf("status says, while no controller runs:\n%s", out)
	}
	s.doctor(t, "controller")
	s.run(t, "kubectl scale -n keywright-system deployment/keywright-controller --replicas=2")
	s.until(t, "the key has left the file of a pod", func() bool { return s.reader(t)["-"+kid] > 0 })
	s.run(t, "kubectl rollout status -n keywright-system deployment/keywright-controller --timeout=2m")
}

// delete takes all trust away at once: from pods that have mounted the file, and from issuers that have mounted the Secret.
func (s *story) delete(t *testing.T) {
	kid := s.applyPartners(t, keywrightv1alpha1.Delete)
	began := time.Now()
	s.run(t, "kubectl delete signingkey partners --wait=false")
	s.leaves(t, kid, began)
	s.eventually(t, tokenStatus, func(out string) bool { return out == "503" })
	s.run(t, "kubectl wait --for=delete signingkey/partners --timeout=1m")
	s.run(t, "kubectl get secrets -n keywright-system -o name | grep -v partners")
	s.run(t, "kubectl delete deployment partners-issuer -n keywright-system && kubectl delete namespace ending --timeout=1m")
}
