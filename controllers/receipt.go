package controllers

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// maxReceipts is how many revocations the status shows, the newest ones. The keyring keeps all.
const maxReceipts = 256

// revocations are the receipts of the newest revocations.
func (p *pass) revocations() []keywrightv1alpha1.RevocationStatus {
	all := p.keyring.ring.Revoked
	var out []keywrightv1alpha1.RevocationStatus
	for i := max(0, len(all)-maxReceipts); i < len(all); i++ {
		r := &all[i]
		receipt := keywrightv1alpha1.RevocationStatus{
			KeyID: r.ID, RevokedAt: metav1.NewTime(r.At.Truncate(time.Second)), Known: r.Known,
			SigningMovedAt: timeOrNil(r.SigningMovedAt), RemovedAt: timeOrNil(r.RemovedAt),
			NudgedAt: timeOrNil(r.Nudged.At), ExpectedEverywhereBy: timeOrNil(r.EverywhereBy(p.policy)),
		}
		if left, waiting := p.podsLeft[r.ID]; waiting && r.Nudged.At.IsZero() {
			receipt.PodsLeft = &left
		}
		out = append(out, receipt)
	}
	return out
}

// askForNudges asks for the pods to be touched that may know a revoked key, until a keyring records that it was done. While
// the keyring cannot be written, that is remembered by the process alone.
func (r *SigningKeyReconciler) askForNudges(p *pass) {
	var ids []string
	for _, v := range p.keyring.ring.Revoked {
		if v.Known && v.Nudged.At.IsZero() {
			ids = append(ids, v.ID)
		}
	}
	if p.trouble != nil {
		for _, id := range p.policy.Revoked {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	r.Nudges.ask(p.key.Name, ids)
	p.podsLeft = r.Nudges.left(p.key.Name)
}
