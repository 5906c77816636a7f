package e2e

import "testing"

// explain logs what keeps pods from being ready, and what the controller warned of, after a failure.
func (s *story) explain(t *testing.T) {
	if !t.Failed() {
		return
	}
	for _, line := range []string{
		"kubectl get nodes -o jsonpath='{range .items[*].status.conditions[*]}{.type}={.status} {end}'",
		unready + ` | while read -r namespace pod; do
  kubectl describe pod -n "$namespace" "$pod" | sed -n '/^Node:/p; /^Conditions:/,$p'
  kubectl logs -n "$namespace" "$pod" --all-containers --tail=5 || true
done`,
		"kubectl get events -A --field-selector type=Warning,reportingComponent=keywright-controller --no-headers | tail -5",
	} {
		if out, err := s.try(line, ""); err != nil || out != "" {
			t.Logf("%s\n%v", out, err)
		}
	}
}

// unready prints the namespace and the name of each pod that is not ready.
const unready = `kubectl get pods -A -o jsonpath='{range .items[*]}{.metadata.namespace} {.metadata.name} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | sed '/ True$/d'`
