package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func (s *story) killControllers(t *testing.T) {
	before := s.key(t).Status.ActiveKeyID
	s.run(t, "kubectl delete pods -n keywright-system -l app.kubernetes.io/component=controller --grace-period=0 --force")
	s.run(t, "kubectl rollout status -n keywright-system deployment/keywright-controller --timeout=2m")
	if after := s.key(t).Status.ActiveKeyID; after != before {
		t.Errorf("%s signs instead of %s", after, before)
	}
	s.rotate(t)
}

func (s *story) killIssuers(t *testing.T) {
	for killed := range strings.FieldsSeq(s.run(t, "kubectl get pods -n keywright-system -l app.kubernetes.io/component=issuer -o name")) {
		s.run(t, "kubectl delete -n keywright-system --grace-period=0 --force "+killed)
		s.until(t, "there are three issuers again", func() bool {
			ready := 0
			for name := range strings.FieldsSeq(s.run(t, readyIssuers)) {
				if "pod/"+name != killed {
					ready++
				}
			}
			return ready == 3
		})
	}
}

// readyIssuers prints the names of the issuers that requests are sent to.
const readyIssuers = `kubectl get endpointslices -n keywright-system -l kubernetes.io/service-name=keywright-issuer \
  -o jsonpath='{range .items[*].endpoints[?(@.conditions.ready==true)]}{.targetRef.name}{"\n"}{end}'`

// deleteConfigMap has it deleted: not by an administrator, whom the policy stops, but by whoever has stolen the controller's account.
func (s *story) deleteConfigMap(t *testing.T) {
	if out, err := s.try("kubectl delete configmap keywright-jwks -n shop", ""); err == nil || !strings.Contains(out, "only Keywright may") {
		t.Errorf("an administrator deleted it: %s", out)
	}
	s.run(t, "kubectl delete configmap keywright-jwks -n shop --as=system:serviceaccount:keywright-system:keywright-controller")
	s.eventually(t, "kubectl get configmap keywright-jwks -n shop", func(string) bool { return true })
	s.rotate(t)
}

// withoutAPIServer has tokens issued and verified while nothing can be asked.
func (s *story) withoutAPIServer(t *testing.T) {
	if !s.node.ours() {
		t.Log("left out: the API server is somebody else's")
		return
	}
	before := reported(t, s.shell)
	s.node.run(t, "hold", "kube-apiserver")
	if out, err := s.try("kubectl get --raw /readyz", ""); err == nil {
		t.Fatalf("the API server is still there: %s", out)
	}
	<-time.After(time.Minute)
	s.node.run(t, "release", "kube-apiserver")
	s.eventually(t, "kubectl get --raw /readyz", func(out string) bool { return out == "ok" })
	t.Logf("%s", s.run(t, "kubectl get pods -n keywright-system"))
	after := reported(t, s.shell)
	if issued, verified := after.Issued-before.Issued, after.Verified-before.Verified; issued < 100 || verified < 1000 {
		t.Errorf("in that minute only %d tokens were issued and %d verified", issued, verified)
	}
}

// doctor asks kubelets, issuers and pods what is wrong, and wants it to find one thing, or nothing. It must be able to ask all of them.
func (s *story) doctor(t *testing.T, finding string) {
	t.Helper()
	out, err := s.try("kubectl keywright doctor", "")
	if strings.Contains(out, "could not check") || (finding == "") != (err == nil) || !strings.Contains(out, finding) {
		t.Errorf("the doctor should find %q: %v\n%s", finding, err, out)
	}
}

// inject tries pods with and without the label, and with init containers.
func (s *story) inject(t *testing.T) {
	s.run(t, "kubectl apply -f "+manifest(t, s.shell, "injected.yaml", map[string]string{"Registry": registry(), "Tag": tag}))
	s.run(t, "kubectl wait --for=condition=Ready pod/labelled -n shop --timeout=1m")
	for pod, want := range map[string]string{"labelled": "first=/var/run/keywright/jwks app=/var/run/keywright/jwks ", "plain": "first= app= "} {
		got := s.run(t, fmt.Sprintf(`kubectl get pod %s -n shop -o jsonpath='{range .spec.initContainers[*]}{.name}={.volumeMounts[*].mountPath} {end}{range .spec.containers[*]}{.name}={.volumeMounts[*].mountPath} {end}'`, pod))
		if got != want {
			t.Errorf("%s: %q, want %q", pod, got, want)
		}
	}
	if out, err := s.try("kubectl get --raw /api/v1/namespaces/shop/pods/labelled:8080/proxy/seen", ""); err != nil || len(out) < 64 {
		t.Errorf("the pod with the label has seen no keys: %v %s", err, out)
	}
	s.run(t, "kubectl delete pod labelled plain -n shop --now")
}
