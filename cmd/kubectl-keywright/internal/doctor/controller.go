package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/leader"
)

// rereadDelay is how long a running controller may take to update the status after a change.
const rereadDelay = 2 * time.Second

// checkController reports whether a controller is running, and faults in the status of SigningKeys.
func (c *command) checkController(ctx context.Context, k client.Client, s *snapshot) (findings []string) {
	l, err := leader.Find(ctx, c.Env, k)
	switch {
	case err != nil:
		s.unchecked = append(s.unchecked, fmt.Sprintf("whether a controller is running: %v", err))
	case !l.Running():
		findings = append(findings, fmt.Sprintf("%s. Nothing is rotated or revoked. %s", l.String(), l.Hint()))
	}
	if len(l.Others) > 0 {
		findings = append(findings, fmt.Sprintf("there are Leases %s in the namespaces %s: a cluster can have only one Keywright. Remove the others, "+
			"or select the right one with --key-namespace", contract.Lease, strings.Join(append(l.Others, l.Namespace), ", ")))
	}
	if slices.ContainsFunc(s.keys.Items, outdated) {
		s.reread(ctx, k)
	}
	for i := range s.keys.Items {
		findings = append(findings, keyFindings(&s.keys.Items[i])...)
	}
	return findings
}

// reread gives the controller time to reconcile a recent change, and reads the SigningKeys again if possible.
func (s *snapshot) reread(ctx context.Context, k client.Client) {
	select {
	case <-ctx.Done():
	case <-time.After(rereadDelay):
		var again keywrightv1alpha1.SigningKeyList
		if k.List(ctx, &again) == nil {
			s.keys = again
		}
	}
}

// outdated reports whether the status of a SigningKey is older than its spec.
func outdated(key keywrightv1alpha1.SigningKey) bool {
	return key.Status.ObservedGeneration < key.Generation
}

// keyFindings returns faults that the conditions of a SigningKey report. The preparation of a first key, or the removal of the last, is
// none.
func keyFindings(key *keywrightv1alpha1.SigningKey) (findings []string) {
	about := "SigningKey " + key.Name + ": "
	if outdated(*key) {
		findings = append(findings, fmt.Sprintf("%sits status is of generation %d, and its spec of generation %d: no controller has reconciled the change",
			about, key.Status.ObservedGeneration, key.Generation))
	}
	if text := istioFinding(key); text != "" {
		findings = append(findings, about+text)
	}
	ready := meta.FindStatusCondition(key.Status.Conditions, keywrightv1alpha1.ConditionReady)
	stalled := meta.FindStatusCondition(key.Status.Conditions, keywrightv1alpha1.ConditionStalled)
	switch {
	case stalled != nil && stalled.Status == metav1.ConditionTrue:
		findings = append(findings, fmt.Sprintf("%sit is stalled (%s): %s", about, stalled.Reason, stalled.Message))
	case ready == nil:
		findings = append(findings, about+"it has no condition Ready: no controller has reconciled it: check that one runs")
	case ready.Status == metav1.ConditionUnknown, ready.Status == metav1.ConditionFalse && !transient(ready.Reason):
		findings = append(findings, fmt.Sprintf("%sReady is %s (%s): %s", about, ready.Status, ready.Reason, ready.Message))
	}
	ca := meta.FindStatusCondition(key.Status.Conditions, keywrightv1alpha1.ConditionCADistributed)
	if ca != nil && (ca.Reason == keywrightv1alpha1.ReasonCANotFound || ca.Reason == keywrightv1alpha1.ReasonCAInvalid) {
		findings = append(findings, fmt.Sprintf("%sits CA is not distributed (%s): %s", about, ca.Reason, ca.Message))
	}
	return findings
}

// istioFinding returns why Istio proxies do not get the keys of a SigningKey, empty if they will.
func istioFinding(key *keywrightv1alpha1.SigningKey) string {
	c := meta.FindStatusCondition(key.Status.Conditions, keywrightv1alpha1.ConditionIstioDistributed)
	if c == nil || c.Status != metav1.ConditionFalse || c.Reason == keywrightv1alpha1.ReasonTargetsBehind {
		return ""
	}
	return fmt.Sprintf("Istio proxies do not get its keys (%s): %s", c.Reason, c.Message)
}

// transient reports whether a condition is False for a reason that ends on its own.
func transient(reason string) bool {
	return reason == keywrightv1alpha1.ReasonStarting || reason == keywrightv1alpha1.ReasonDraining
}
