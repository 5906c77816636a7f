package receipt

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/progress"
)

// Await prints the receipt of a Revocation, and what is awaited, until it is complete or the controller refuses the Revocation.
func Await(ctx context.Context, env *cli.Env, k client.Client, name string) error {
	reporter := progress.NewReporter(env)
	defer reporter.End()
	return cli.Poll(ctx, 250*time.Millisecond, func() (bool, error) {
		var r keywrightv1alpha1.Revocation
		err := k.Get(ctx, client.ObjectKey{Name: name}, &r)
		if apierrors.IsNotFound(err) {
			return false, fmt.Errorf("the Revocation %s was deleted: `kubectl keywright revocations` lists those that exist", name)
		}
		if err != nil {
			return false, err
		}
		key, err := cli.GetSigningKey(ctx, k, r.Spec.SigningKey)
		if err != nil {
			return false, err
		}
		for _, line := range revocationLines(key, &r) {
			reporter.Done(line)
		}
		if why := Refusal(&r); why != "" {
			return false, cli.Negativef("the controller refuses Revocation %s: %s", name, why)
		}
		if isComplete(&r) {
			return true, nil
		}
		explainIncomplete(ctx, reporter, k, &r)
		return false, nil
	})
}

// revocationLines returns the steps that are done.
func revocationLines(key *keywrightv1alpha1.SigningKey, r *keywrightv1alpha1.Revocation) []string {
	s := &r.Status
	var lines []string
	if s.RevokedAt != nil {
		recorded := timeOfDay(s.RevokedAt) + "  Recorded: the revocation is permanent"
		if Reason(r) == keywrightv1alpha1.ReasonUnknownKey {
			recorded += ". The SigningKey never had this key"
		}
		lines = append(lines, recorded)
	}
	in, does := "Added to the revocation lists of %s namespaces", "should reject"
	if r.Spec.KeyID != "" {
		in, does = "Removed from the files of %s namespaces", "should have removed"
	}
	if s.RemovedAt != nil {
		lines = append(lines, timeOfDay(s.RemovedAt)+"  "+fmt.Sprintf(in, allTargets(key)))
	}
	if s.NudgedAt != nil {
		lines = append(lines, nudged(s.RemovedAt, s.NudgedAt, s.ExpectedEverywhereBy, key.Spec.Distribution.PropagationDelay.Duration))
	}
	if isComplete(r) && s.ExpectedEverywhereBy != nil && Reason(r) != keywrightv1alpha1.ReasonUnknownKey {
		lines = append(lines, everywhere(does, s.ExpectedEverywhereBy))
	}
	return lines
}

// isComplete reports whether the receipt of a Revocation is complete, except for its expiry.
func isComplete(r *keywrightv1alpha1.Revocation) bool {
	nudges := (r.Spec.KeyID != "" && Reason(r) != keywrightv1alpha1.ReasonUnknownKey) || r.Spec.Nudge
	return r.Status.RemovedAt != nil && (r.Status.NudgedAt != nil || !nudges)
}

// Refusal returns why the controller does not carry out a Revocation, empty if it may.
func Refusal(r *keywrightv1alpha1.Revocation) string {
	ready := readyCondition(r)
	switch ready.Reason {
	case keywrightv1alpha1.ReasonFull, keywrightv1alpha1.ReasonInFuture, keywrightv1alpha1.ReasonNoSigningKey:
		return ready.Message
	}
	return ""
}

// readyCondition returns the condition Ready, or one with the reason Pending if there is none.
func readyCondition(r *keywrightv1alpha1.Revocation) metav1.Condition {
	if ready := meta.FindStatusCondition(r.Status.Conditions, keywrightv1alpha1.ConditionReady); ready != nil {
		return *ready
	}
	return metav1.Condition{Status: metav1.ConditionUnknown, Reason: keywrightv1alpha1.ReasonPending}
}

// Reason returns the reason of the condition Ready.
func Reason(r *keywrightv1alpha1.Revocation) string { return readyCondition(r).Reason }

// explainIncomplete prints what a receipt waits for, and why, if it is overdue.
func explainIncomplete(ctx context.Context, reporter *progress.Reporter, k client.Client, r *keywrightv1alpha1.Revocation) {
	ready := readyCondition(r)
	switch {
	case r.Status.RevokedAt == nil && reporter.Overdue():
		l, description := reporter.Leader(ctx, k)
		if l.Running() && ready.Reason != keywrightv1alpha1.ReasonPending {
			reporter.Waiting("The controller has not recorded it yet. " + ready.Reason + ": " + ready.Message + ".")
			return
		}
		reporter.NotSeen(ctx, l, description, "Until one does, pods accept "+Describe(&r.Spec)+".")
	case ready.Reason == keywrightv1alpha1.ReasonPending:
		reporter.Waiting("Waiting for the controller to see the request.")
	case r.Status.RemovedAt == nil:
		reporter.Waiting("Waiting for files: " + ready.Message + ".")
	default:
		reporter.Waiting("Waiting for pods to renew their files.")
	}
}
