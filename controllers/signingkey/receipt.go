package signingkey

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/report"
	"github.com/keywright/keywright/controllers/rotation"
)

// maxReceipts is the maximum number of revocations in the status. The keyring has all.
const maxReceipts = 256

// keyRevocations returns the receipts of the newest revocations, in the keyring or pending.
func (p *pass) keyRevocations() []keywrightv1alpha1.KeyRevocationStatus {
	all := slices.Concat(p.keyring.Ring.Revoked, p.pending)
	var out []keywrightv1alpha1.KeyRevocationStatus
	for i := max(0, len(all)-maxReceipts); i < len(all); i++ {
		out = append(out, p.receipt(&all[i]))
	}
	return out
}

// receipt returns the receipt of a revocation.
func (p *pass) receipt(r *rotation.Revocation) keywrightv1alpha1.KeyRevocationStatus {
	receipt := keywrightv1alpha1.KeyRevocationStatus{
		KeyID: r.ID, RevokedAt: metav1.NewTime(r.At.Truncate(time.Second)), Known: r.Known,
		SigningMovedAt: report.TimeOrNil(r.SigningMovedAt), RemovedAt: report.TimeOrNil(r.RemovedAt),
		NudgedAt: report.TimeOrNil(r.Nudged.At), ExpectedEverywhereBy: report.TimeOrNil(r.EverywhereBy(p.policy)),
	}
	if left, waiting := p.podsLeft[r.ID]; waiting && r.Nudged.At.IsZero() {
		receipt.PodsLeft = &left
	}
	if r.Known && p.now.Sub(r.At) < terminatingFor && len(p.targets.terminating) > 0 {
		receipt.Terminating = p.targets.terminating[:min(len(p.targets.terminating), report.MostNames)]
		receipt.ExpectedEverywhereBy = nil
	}
	pending := slices.ContainsFunc(p.pending, func(v rotation.Revocation) bool { return v.ID == r.ID })
	if p.trouble != nil && (pending || r.RemovedAt.IsZero()) {
		receipt.Problem = p.trouble.message
	}
	return receipt
}

// terminatingFor is how long a receipt names namespaces that are being deleted. All tokens expire before.
const terminatingFor = 2 * rotation.LongestLifetime

// requestNudges requests nudges of the pods that may have a revoked key, until the keyring records that they were done.
// While the keyring cannot be written, only this process has that record.
func (r *Reconciler) requestNudges(p *pass) {
	var ids []string
	for _, v := range slices.Concat(p.keyring.Ring.Revoked, p.pending) {
		if v.Known && v.Nudged.At.IsZero() {
			ids = append(ids, v.ID)
		}
	}
	r.Refreshes.Add(p.name, append(ids, p.tokensToNudge()...))
	p.podsLeft = r.Refreshes.Left(p.name)
}
