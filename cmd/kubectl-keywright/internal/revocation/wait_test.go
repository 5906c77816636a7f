package revocation

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
)

// Without a controller, revoke and rotate print what was requested and what is wrong, report no progress, and end with the context.
func TestRequestsWithoutController(t *testing.T) {
	key := plugintest.CreateSigningKey(t, "nobody")
	kid := key.Status.ActiveKeyID
	plugintest.StopController(t)
	plugintest.HoldLease(t, "pod-1_abc", time.Now().Add(-time.Hour))
	for _, args := range [][]string{{"revoke", "nobody", kid, "--yes"}, {"rotate", "nobody"}} {
		out, errOut, err := plugintest.RunUntil(t, nil, "Still waiting.", args...)
		if err == nil || !strings.Contains(err.Error(), "stopped waiting: the request stays valid, and `kubectl keywright status nobody` shows its progress") {
			t.Errorf("%v: %v", args, err)
		}
		if !strings.Contains(out, "Requested ") || strings.Contains(out+errOut, "are rejected") || strings.Contains(out, "Recorded") {
			t.Errorf("%v claims what nobody has seen:\n%s%s", args, out, errOut)
		}
		for _, says := range []string{
			"After 5s, no controller has picked up the request: no controller is running: pod-1_abc held the Lease", "kubectl logs -n keywright-system -l app.kubernetes.io/name=keywright",
		} {
			if !strings.Contains(errOut, says) {
				t.Errorf("%v does not say %q:\n%s", args, says, errOut)
			}
		}
		if args[0] == "revoke" && !strings.Contains(errOut, "status.observedGeneration is 1 and metadata.generation 2") {
			t.Errorf("it does not say that nobody looked:\n%s", errOut)
		}
	}
}

// The question of revoke ends with the context.
func TestQuestionEndsWithTheContext(t *testing.T) {
	key := plugintest.CreateSigningKey(t, "question")
	in, typed := io.Pipe() // without input
	t.Cleanup(func() { _ = typed.Close() })
	if _, _, err := plugintest.RunUntil(t, in, "[y/N]", "revoke", "question", key.Status.ActiveKeyID); err == nil || err.Error() != "interrupted: nothing was revoked" {
		t.Errorf("%v", err)
	}
}
