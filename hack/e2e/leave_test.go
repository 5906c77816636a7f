package e2e

import (
	"strings"
	"testing"
)

// upgrade changes something of every pod of Keywright, under load.
func (s *story) upgrade(t *testing.T) {
	ca := "kubectl get configmap keywright-issuer-ca -n keywright-system -o jsonpath='{.data}'"
	before := s.run(t, ca)
	t.Logf("%s", s.run(t, helm("upgrade", "--set-string", "issuer.podAnnotations.upgraded=yes", "--set-string", "controller.podAnnotations.upgraded=yes")))
	if after := s.run(t, ca); after != before {
		t.Error("the upgrade made another CA, which no client trusts")
	}
	s.rotate(t)
}

// uninstall takes the release away, and leaves what tokens are verified with.
func (s *story) uninstall(t *testing.T) {
	_, s.removal = notes(t, s.shell)
	before := reported(t, s.shell)
	// Nobody can log in from now on: what the load says of that is no news.
	s.run(t, "kubectl scale deployment load -n clients --replicas=0")
	t.Logf("%s", s.run(t, "helm uninstall keywright -n keywright-system --wait"))
	for _, kept := range []string{
		"secret/main-keyring secret/main-signing-key -n keywright-system", "configmap/keywright-jwks -n shop", "configmap/keywright-jwks -n orders",
		"signingkey/main", "crd/signingkeys.keywright.dev", "validatingadmissionpolicy/keywright-key-namespace",
	} {
		s.run(t, "kubectl get "+kept)
	}
	if len(s.token) == 0 || before.Verified == 0 {
		t.Fatal("there is no token to try")
	}
	for _, service := range []string{"shop", "orders"} {
		out := s.feed(t, "kubectl run after-"+service+" -n clients --rm -qi --restart=Never --image="+registry()+"keywright-e2e:"+tag+
			` --overrides="$(cat overrides.json)" --command -- /load`, "")
		if !strings.Contains(out, "hello alice") {
			t.Errorf("%s: %s", service, out)
		}
	}
}
