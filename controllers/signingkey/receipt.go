package signingkey

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/report"
	"github.com/keywright/keywright/controllers/rotation"
)

// maxReceipts is how many revocations the status shows, the newest ones. The keyring keeps all.
const maxReceipts = 256

// keyRevocations are the receipts of the newest revocations: those that the keyring records, and those that it cannot.
func (p *pass) keyRevocations() []keywrightv1alpha1.KeyRevocationStatus {
	all := slices.Concat(p.keyring.Ring.Revoked, p.pending)
	var out []keywrightv1alpha1.KeyRevocationStatus
	for i := max(0, len(all)-maxReceipts); i < len(all); i++ {
		out = append(out, p.receipt(&all[i]))
	}
	return out
}

// receipt is that of one revocation.
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

// terminatingFor is for how long a receipt names namespaces that are being deleted: no token outlives it.
const terminatingFor = 2 * rotation.LongestLifetime

// askForRefreshes asks for the pods to be touched that may know a revoked key, until a keyring records that it was done. While
// the keyring cannot be written, that is remembered by the process alone.
func (r *Reconciler) askForRefreshes(p *pass) {
	var ids []string
	for _, v := range slices.Concat(p.keyring.Ring.Revoked, p.pending) {
		if v.Known && v.Nudged.At.IsZero() {
			ids = append(ids, v.ID)
		}
	}
	r.Refreshes.Ask(p.name, append(ids, p.tokensToNudge()...))
	p.podsLeft = r.Refreshes.Left(p.name)
}
