package signingkey

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/report"
	"github.com/keywright/keywright/controllers/rotation"
)

// announce logs the moves of a pass, and reports them as metrics and events, after the keyring was written. All have
// the same reason.
func (r *Reconciler) announce(ctx context.Context, p *pass) {
	for _, m := range p.decision.Moves {
		log.FromContext(ctx).Info("Moved key", "move", m.Kind, "kid", m.KeyID, "reason", m.Reason, "early", m.Early,
			"keyringGeneration", p.keyring.Ring.Generation)
		r.Metrics.move(p.name, m)
		if m.LeftBehind {
			r.leaveBehind(p)
		}
		kind := corev1.EventTypeNormal
		if m.Kind == rotation.Revoke || (m.Early && m.Reason == rotation.KeyRevoked) {
			kind = corev1.EventTypeWarning
		}
		r.Recorder.Eventf(p.key, nil, kind, string(m.Reason), string(m.Kind), "%s", sentence(m, p))
	}
	if n := p.decision.TokensRecorded; n > 0 {
		log.FromContext(ctx).Info("Recorded Revocations", "count", n, "keyringGeneration", p.keyring.Ring.Generation)
		r.Recorder.Eventf(p.key, nil, corev1.EventTypeNormal, "TokensRevoked", string(rotation.Revoke),
			"Recorded %d Revocations: services reject the tokens once their files are updated", n)
	}
}

// sentence returns the note of the event for a move.
func sentence(m rotation.Move, p *pass) string {
	switch m.Kind {
	case rotation.Prepare:
		return fmt.Sprintf("Generated key %s: it is published as the Standby key", m.KeyID)
	case rotation.Activate:
		text := fmt.Sprintf("Key %s signs now", m.KeyID)
		if m.Early && m.Reason == rotation.KeyRevoked {
			text += fmt.Sprintf(", early, because the Active key was revoked: some verifiers may not have it for up to %s",
				p.policy.PropagationDelay)
		}
		return text
	case rotation.Retire:
		return fmt.Sprintf("Key %s is retired: it stays published until its last token has expired", m.KeyID)
	case rotation.Revoke:
		return fmt.Sprintf("Key %s is revoked: it is removed from every key set, and its tokens are rejected", m.KeyID)
	default:
		return fmt.Sprintf("Key %s is removed from the key set: all its tokens have expired", m.KeyID)
	}
}

// leaveBehind stops waiting for the targets that delayed a rotation, and reports them in an event.
func (r *Reconciler) leaveBehind(p *pass) {
	left := r.Published.LeaveBehind(p.name, p.targets.lacking, p.at.Add(-p.policy.PropagationDelay-p.policy.ClockSkew))
	p.targets.leftBehind = union(p.targets.leftBehind, left) // for the status, even if the next write is refused
	slices.Sort(p.targets.leftBehind)
	r.Recorder.Eventf(p.key, nil, corev1.EventTypeWarning, "LeftBehind", string(rotation.Activate),
		"The rotation waited %s for namespaces %s and proceeds without them: pods there reject new tokens until their file is up to date",
		p.policy.WaitForTargets, report.Names(left))
}

// reportLeftBehind reports the targets that refuse the removal of the keys of a deleted SigningKey, in an event.
func (r *Reconciler) reportLeftBehind(p *pass) {
	if len(p.targets.holders) > 0 {
		r.Recorder.Eventf(p.key, nil, corev1.EventTypeWarning, "LeftBehind", "Delete",
			"The deletion waited %s for namespaces %s and completes without them: pods there trust the keys until the controller can write their ConfigMap",
			p.policy.WaitForTargets, report.Names(p.targets.holders))
	}
}

// reportOtherInstallation reports once that another installation reconciles the SigningKeys of this cluster.
func (r *Reconciler) reportOtherInstallation(ctx context.Context, key *keywrightv1alpha1.SigningKey, owner string) {
	if owner == "" {
		return
	}
	text := fmt.Sprintf("another installation, in namespace %s, reconciles the SigningKeys of this cluster: this one, in %s, writes "+
		"nothing. To replace the other one, uninstall it, then start this one with --take-over-from=%s", owner, r.KeyNamespace, owner)
	if was, _ := r.reportedRequest.Swap(key.UID, text); was == text {
		return
	}
	log.FromContext(ctx).Error(nil, text)
	r.Recorder.Eventf(key, nil, corev1.EventTypeWarning, "OtherInstallation", "Reconcile", "%s", text)
}

// reportRequest reports once for each rotation request that it is ignored, or has a time in the future.
func (r *Reconciler) reportRequest(p *pass) {
	reason, text := requestTrouble(p)
	if text == "" {
		r.reportedRequest.Delete(p.key.UID)
		return
	}
	if was, _ := r.reportedRequest.Swap(p.key.UID, text); was == text {
		return
	}
	r.Recorder.Eventf(p.key, nil, corev1.EventTypeWarning, reason, "Ignore", "%s", text)
}

// requestTrouble returns what is wrong with the rotation request of a SigningKey, empty if it has none or a valid one.
func requestTrouble(p *pass) (reason, text string) {
	policy, unreadable := desired.PolicyOf(p.key)
	requested, handled := policy.RotateRequested, p.keyring.Ring.HandledRequest
	switch {
	case unreadable != "":
		return "InvalidRotateRequest", fmt.Sprintf(
			"The annotation %s is ignored: it must be a time like 2026-01-31T12:00:00Z, but is %.40q",
			contract.RotateAnnotation, unreadable)
	case requested.IsZero() || requested.Equal(handled):
		return "", ""
	case requested.Before(handled):
		return "OldRotateRequest", fmt.Sprintf(
			"The rotation request dated %s is ignored: one dated %s was already completed. Use a later time",
			report.Stamp(requested), report.Stamp(handled))
	case requested.After(p.now.Add(policy.ClockSkew)):
		return "FutureRotateRequest", fmt.Sprintf("The rotation request has a time in the future, %s, and waits until then", report.Stamp(requested))
	}
	return "", ""
}
