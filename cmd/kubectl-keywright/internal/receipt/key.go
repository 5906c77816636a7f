package receipt

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
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/progress"
)

// AwaitKey prints the receipt of a key in spec.revokedKeyIDs, and what is awaited, until it is complete.
func AwaitKey(ctx context.Context, env *cli.Env, k client.Client, name, kid string) error {
	reporter := progress.NewReporter(env)
	defer reporter.End()
	return cli.Poll(ctx, 250*time.Millisecond, func() (bool, error) {
		key, err := cli.GetSigningKey(ctx, k, name)
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(key.Status.Revocations, func(r keywrightv1alpha1.KeyRevocationStatus) bool { return r.KeyID == kid })
		if i < 0 {
			explainUnrecorded(ctx, reporter, k, key)
			return false, nil
		}
		r := &key.Status.Revocations[i]
		for _, line := range keyLines(key, r) {
			reporter.Done(line)
		}
		reporter.Waiting(Awaited(key, r))
		return Complete(r), nil
	})
}

// Complete reports whether the receipt of a key is complete.
func Complete(r *keywrightv1alpha1.KeyRevocationStatus) bool {
	return r.RemovedAt != nil && (r.NudgedAt != nil || !r.Known)
}

// keyLines returns the steps that are done for a key in spec.revokedKeyIDs.
func keyLines(key *keywrightv1alpha1.SigningKey, r *keywrightv1alpha1.KeyRevocationStatus) []string {
	recorded := fmt.Sprintf("%s  Recorded: the revocation of key %s is permanent", timeOfDay(&r.RevokedAt), r.KeyID)
	if !r.Known {
		recorded += ". The SigningKey never had it"
	}
	lines := []string{recorded}
	if r.SigningMovedAt != nil {
		lines = append(lines, timeOfDay(r.SigningMovedAt)+"  Another key signs")
	}
	if r.RemovedAt != nil {
		lines = append(lines, fmt.Sprintf("%s  Removed from the files of %s namespaces", timeOfDay(r.RemovedAt), allTargets(key)))
	}
	by := r.ExpectedEverywhereBy
	if r.NudgedAt != nil {
		lines = append(lines, nudged(r.RemovedAt, r.NudgedAt, by, key.Spec.Distribution.PropagationDelay.Duration))
	}
	if Complete(r) && by != nil && r.Known {
		lines = append(lines, everywhere("should have removed", by))
	}
	return lines
}

// nudged returns which pods were nudged: all of them if the files are expected everywhere before the propagation delay has passed,
// otherwise those of the issuer.
func nudged(removedAt, nudgedAt, by *metav1.Time, delay time.Duration) string {
	if removedAt != nil && by != nil && by.Time.Before(removedAt.Add(delay)) {
		return timeOfDay(nudgedAt) + "  All pods nudged"
	}
	return timeOfDay(nudgedAt) + "  Pods of the issuer nudged; kubelets renew the files of other pods on their own"
}

// allTargets returns the number of namespaces with a file. RemovedAt is set when all of them are written.
func allTargets(key *keywrightv1alpha1.SigningKey) string {
	total := key.Status.Targets.Selected + key.Status.Targets.Kept
	return fmt.Sprintf("%d of %d", total, total)
}

// everywhere returns the time by which every pod acts on the revocation.
func everywhere(does string, by *metav1.Time) string {
	return fmt.Sprintf("           Every running pod %s it by %s (Kubernetes cannot confirm this)", does, timeOfDay(by))
}

// Awaited returns what the receipt of a key waits for, empty if it is complete.
func Awaited(key *keywrightv1alpha1.SigningKey, r *keywrightv1alpha1.KeyRevocationStatus) string {
	switch {
	case Complete(r):
		return ""
	case r.RemovedAt == nil && len(key.Status.Targets.Behind) > 0:
		return "Waiting for the files of " + strings.Join(key.Status.Targets.Behind, ", ")
	case r.PodsLeft != nil && *r.PodsLeft > 0:
		return fmt.Sprintf("Waiting for %d pods to be nudged", *r.PodsLeft)
	default:
		return "Waiting for the controller"
	}
}

func timeOfDay(at *metav1.Time) string { return at.UTC().Format(time.TimeOnly) + "Z" }

// explainUnrecorded prints why the controller has not recorded a revocation, if it is overdue.
func explainUnrecorded(ctx context.Context, reporter *progress.Reporter, k client.Client, key *keywrightv1alpha1.SigningKey) {
	if !reporter.Overdue() {
		reporter.Waiting("Waiting for the controller to see the request.")
		return
	}
	if key.Status.ObservedGeneration < key.Generation {
		l, description := reporter.Leader(ctx, k)
		reporter.NotSeen(ctx, l, description, fmt.Sprintf("status.observedGeneration is %d and metadata.generation %d. Until one does, pods accept the key.",
			key.Status.ObservedGeneration, key.Generation))
		return
	}
	text := "The controller has seen the request, and has not recorded it yet."
	if ready := meta.FindStatusCondition(key.Status.Conditions, keywrightv1alpha1.ConditionReady); ready != nil {
		text += fmt.Sprintf(" Ready is %s (%s): %s", ready.Status, ready.Reason, ready.Message)
	}
	reporter.Waiting(text)
}
