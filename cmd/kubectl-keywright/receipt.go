package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
)

// awaitRevocation shows the receipt of a key in spec.revokedKeyIDs as it fills, and what is awaited, until it is full.
func (c *command) awaitRevocation(ctx context.Context, k client.Client, name, kid string) error {
	waited := newWait(c)
	defer waited.end()
	return cli.Poll(ctx, 250*time.Millisecond, func() (bool, error) {
		key, err := cli.GetSigningKey(ctx, k, name)
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(key.Status.Revocations, func(r keywrightv1alpha1.KeyRevocationStatus) bool { return r.KeyID == kid })
		if i < 0 {
			waited.forRecord(ctx, k, key)
			return false, nil
		}
		r := &key.Status.Revocations[i]
		for _, line := range keyReceipt(key, r) {
			waited.done(line)
		}
		waited.awaits(awaited(key, r))
		return full(r), nil
	})
}

// full reports whether nothing will be added to a receipt.
func full(r *keywrightv1alpha1.KeyRevocationStatus) bool {
	return r.RemovedAt != nil && (r.NudgedAt != nil || !r.Known)
}

// keyReceipt says what has been done so far about a key in spec.revokedKeyIDs.
func keyReceipt(key *keywrightv1alpha1.SigningKey, r *keywrightv1alpha1.KeyRevocationStatus) []string {
	recorded := fmt.Sprintf("%s  Recorded: key %s never comes back", clock(&r.RevokedAt), r.KeyID)
	if !r.Known {
		recorded += ". It was never here"
	}
	lines := []string{recorded}
	if r.SigningMovedAt != nil {
		lines = append(lines, clock(r.SigningMovedAt)+"  Another key signs")
	}
	if r.RemovedAt != nil {
		lines = append(lines, fmt.Sprintf("%s  Gone from the files of %s namespaces", clock(r.RemovedAt), allTargets(key)))
	}
	by := r.ExpectedEverywhereBy
	if r.NudgedAt != nil {
		lines = append(lines, refreshed(r.RemovedAt, r.NudgedAt, by, key.Spec.Distribution.PropagationDelay.Duration))
	}
	if full(r) && by != nil && r.Known {
		lines = append(lines, everywhere("has dropped", by))
	}
	return lines
}

// refreshed says which pods were made to renew their files: all of them if that is why they are bound to know sooner than after the
// propagation delay, else those of the issuer.
func refreshed(removedAt, nudgedAt, by *metav1.Time, delay time.Duration) string {
	if removedAt != nil && by != nil && by.Time.Before(removedAt.Add(delay)) {
		return clock(nudgedAt) + "  All pods refreshed"
	}
	return clock(nudgedAt) + "  The pods of the issuer refreshed; other pods renew their files by themselves"
}

// allTargets counts all namespaces with a file: what was removed is out of every one.
func allTargets(key *keywrightv1alpha1.SigningKey) string {
	total := key.Status.Targets.Selected + key.Status.Targets.Kept
	return fmt.Sprintf("%d of %d", total, total)
}

// everywhere says until when every pod does what.
func everywhere(does string, by *metav1.Time) string {
	return fmt.Sprintf("           Every running pod %s it by %s (Kubernetes cannot confirm this)", does, clock(by))
}

// awaited says for whom a receipt waits, nothing if it is full.
func awaited(key *keywrightv1alpha1.SigningKey, r *keywrightv1alpha1.KeyRevocationStatus) string {
	switch {
	case full(r):
		return ""
	case r.RemovedAt == nil && len(key.Status.Targets.Behind) > 0:
		return "Waiting for the files of " + strings.Join(key.Status.Targets.Behind, ", ")
	case r.PodsLeft != nil && *r.PodsLeft > 0:
		return fmt.Sprintf("Waiting for %d pods to be nudged", *r.PodsLeft)
	default:
		return "Waiting for the controller"
	}
}

func clock(at *metav1.Time) string { return at.UTC().Format(time.TimeOnly) + "Z" }
