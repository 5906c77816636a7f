package e2e

import (
	"fmt"
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
}

// uninstall takes the release away, and finds that tokens are still verified.
func (s *story) uninstall(t *testing.T) {
	_, s.removal = notes(t, s.shell)
	token := s.logIn(t) // nobody can log in from now on
	t.Logf("%s", s.run(t, "helm uninstall keywright -n keywright-system --wait"))
	for _, kept := range []string{
		"secret/main-keyring secret/main-signing-key -n keywright-system", "configmap/keywright-jwks -n shop", "configmap/keywright-jwks -n orders",
		"signingkey/main", "crd/signingkeys.keywright.dev", "mutatingadmissionpolicy,mutatingadmissionpolicybinding keywright-inject",
	} {
		s.run(t, "kubectl get "+kept)
	}
	if out := s.run(t, `kubectl get signingkey main -o jsonpath='{.status.conditions[?(@.type=="Ready")].reason}'`); out != "ControllerStopped" {
		t.Errorf("without a controller, the reason of Ready is %s", out)
	}
	if out, err := s.try("kubectl keywright status main", ""); err == nil || !strings.Contains(out, "No controller is running") {
		t.Errorf("without a controller, kubectl keywright status says: %v\n%s", err, out)
	}
	for _, service := range []string{"shop", "orders"} {
		if out := s.call(t, service, token); !strings.Contains(out, "hello ") {
			t.Errorf("%s does not accept a token that an issuer gave before it was uninstalled: %s", service, out)
		}
	}
}

// forward has a port of a pod at localhost for the rest of the line. What the last one said must not be taken for its own.
func forward(namespace, target string, port int) string {
	return fmt.Sprintf(`rm -f forwarded
kubectl port-forward -n %s %s %d >forwarded 2>&1 &
trap 'kill $!' EXIT
until grep -qs Forwarding forwarded; do sleep 0.1; done
`, namespace, target, port)
}

// remove installs the release again, which takes up what was left, and removes it all as the notes say.
func (s *story) remove(t *testing.T) {
	active := "kubectl get secret main-signing-key -n keywright-system -o jsonpath='{.data.active\\.jwk}' | sha256sum" // what expired meanwhile leaves the files
	before := s.run(t, active)
	s.run(t, helm("install"))
	s.eventually(t, "kubectl get signingkey main -o jsonpath='{.status.conditions[?(@.type==\"Ready\")].status}'", func(out string) bool { return out == "True" })
	if after := s.run(t, active); after != before {
		t.Error("the new installation took another key")
	}
	t.Logf("%s", s.run(t, s.removal))
	for _, gone := range []string{
		"namespace keywright-system", "crd signingkeys.keywright.dev revocations.keywright.dev trustedissuers.keywright.dev", "clusterroles,clusterrolebindings -l app.kubernetes.io/name=keywright",
		"validatingadmissionpolicies,mutatingadmissionpolicies -l app.kubernetes.io/name=keywright", "configmaps -A --field-selector metadata.name=keywright-jwks",
	} {
		s.eventually(t, "kubectl get --no-headers --ignore-not-found "+gone+" 2>/dev/null", func(out string) bool { return strings.TrimSpace(out) == "" })
	}
}
