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

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/leader"
	"github.com/keywright/keywright/controllers"
)

// lookAgainAfter is how long a controller that works may need for its status to follow a change.
const lookAgainAfter = 2 * time.Second

// examineController says whether a controller works, and which SigningKeys are not as their status should be.
func (c *command) examineController(ctx context.Context, k client.Client, p *patient) (findings []string) {
	l, err := leader.Find(ctx, c.Env, k)
	switch {
	case err != nil:
		p.unasked = append(p.unasked, fmt.Sprintf("whether a controller is running: %v", err))
	case !l.Running():
		findings = append(findings, fmt.Sprintf("%s. Nothing is rotated or revoked. %s", l.String(), l.Hint()))
	}
	if len(l.Others) > 0 {
		findings = append(findings, fmt.Sprintf("there are Leases %s in the namespaces %s: only one Keywright can work in a cluster. Remove the others, "+
			"or name the right one with --key-namespace", controllers.LeaseName, strings.Join(append(l.Others, l.Namespace), ", ")))
	}
	if slices.ContainsFunc(p.keys.Items, lags) {
		p.lookAgain(ctx, k)
	}
	for i := range p.keys.Items {
		findings = append(findings, keyFindings(&p.keys.Items[i])...)
	}
	return findings
}

// lookAgain gives the controller time for what changed a moment ago. A key that cannot be read again stays as it was seen.
func (p *patient) lookAgain(ctx context.Context, k client.Client) {
	select {
	case <-ctx.Done():
	case <-time.After(lookAgainAfter):
		var again keywrightv1alpha1.SigningKeyList
		if k.List(ctx, &again) == nil {
			p.keys = again
		}
	}
}

// lags reports whether the status of a SigningKey is not that of its spec.
func lags(key keywrightv1alpha1.SigningKey) bool {
	return key.Status.ObservedGeneration < key.Generation
}

// keyFindings says what the conditions of a SigningKey tell of trouble. That a first key is on its way, or the last one on its way out,
// is none.
func keyFindings(key *keywrightv1alpha1.SigningKey) (findings []string) {
	about := "SigningKey " + key.Name + ": "
	if lags(*key) {
		findings = append(findings, fmt.Sprintf("%sits status is of generation %d, and it is at %d: no controller has looked at the change",
			about, key.Status.ObservedGeneration, key.Generation))
	}
	if text := istioFinding(key); text != "" {
		findings = append(findings, about+text)
	}
	ready := meta.FindStatusCondition(key.Status.Conditions, keywrightv1alpha1.ConditionReady)
	stalled := meta.FindStatusCondition(key.Status.Conditions, keywrightv1alpha1.ConditionStalled)
	switch {
	case stalled != nil && stalled.Status == metav1.ConditionTrue:
		findings = append(findings, fmt.Sprintf("%sit is stalled, %s: %s", about, stalled.Reason, stalled.Message))
	case ready == nil:
		findings = append(findings, about+"it has no condition Ready: no controller has ever looked at it")
	case ready.Status == metav1.ConditionUnknown, ready.Status == metav1.ConditionFalse && !passing(ready.Reason):
		findings = append(findings, fmt.Sprintf("%sReady is %s, %s: %s", about, ready.Status, ready.Reason, ready.Message))
	}
	ca := meta.FindStatusCondition(key.Status.Conditions, keywrightv1alpha1.ConditionCADistributed)
	if ca != nil && (ca.Reason == keywrightv1alpha1.ReasonCANotFound || ca.Reason == keywrightv1alpha1.ReasonCAInvalid) {
		findings = append(findings, fmt.Sprintf("%sits CA is not distributed, %s: %s", about, ca.Reason, ca.Message))
	}
	return findings
}

// istioFinding says why the proxies of Istio are not given the keys of a SigningKey, empty if that is on its way.
func istioFinding(key *keywrightv1alpha1.SigningKey) string {
	c := meta.FindStatusCondition(key.Status.Conditions, keywrightv1alpha1.ConditionIstioDistributed)
	if c == nil || c.Status != metav1.ConditionFalse || c.Reason == keywrightv1alpha1.ReasonTargetsBehind {
		return ""
	}
	return fmt.Sprintf("proxies of Istio are not given its keys, %s: %s", c.Reason, c.Message)
}

// passing reports whether a condition is False with a reason that goes away by itself.
func passing(reason string) bool {
	return reason == keywrightv1alpha1.ReasonStarting || reason == keywrightv1alpha1.ReasonDraining
}
