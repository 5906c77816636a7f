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
)

// awaitRevocation shows the receipt of a revocation as it fills, and what is awaited, until it is full.
func (c *cli) awaitRevocation(ctx context.Context, k client.Client, name, kid string) error {
	shown, waited := said{}, newWait(c)
	return again(ctx, 250*time.Millisecond, func() (bool, error) {
		key, err := get(ctx, k, name)
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(key.Status.Revocations, func(r keywrightv1alpha1.KeyRevocationStatus) bool { return r.KeyID == kid })
		if i < 0 {
			waited.forRecord(ctx, k, key)
			return false, nil
		}
		receipt := &key.Status.Revocations[i]
		for _, line := range receiptLines(key, receipt) {
			shown.once(c.Out, line)
		}
		waited.say(awaited(key, receipt))
		return full(receipt), nil
	})
}

// full reports whether nothing will be added to a receipt.
func full(r *keywrightv1alpha1.KeyRevocationStatus) bool {
	return r.RemovedAt != nil && (r.NudgedAt != nil || !r.Known)
}

// receiptLines says what has been done so far.
func receiptLines(key *keywrightv1alpha1.SigningKey, r *keywrightv1alpha1.KeyRevocationStatus) []string {
	lines := []string{fmt.Sprintf("%s  recorded: key %s never comes back", clock(&r.RevokedAt), r.KeyID)}
	if !r.Known {
		lines[0] += ". It was never here"
	}
	if r.SigningMovedAt != nil {
		lines = append(lines, fmt.Sprintf("%s  the issuers' Secret holds another key to sign with", clock(r.SigningMovedAt)))
	}
	if r.RemovedAt != nil {
		lines = append(lines, fmt.Sprintf("%s  gone from the issuers' Secret and from the files of all %d namespaces",
			clock(r.RemovedAt), key.Status.Targets.Selected+key.Status.Targets.Kept))
	}
	if r.NudgedAt != nil {
		lines = append(lines, fmt.Sprintf("%s  the pods that are nudged were nudged", clock(r.NudgedAt)))
	}
	if full(r) && r.ExpectedEverywhereBy != nil && r.Known {
		lines = append(lines, fmt.Sprintf("%s  is until when every running pod is bound to know; no signal of Kubernetes confirms it",
			clock(r.ExpectedEverywhereBy)))
	}
	return lines
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
