package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/keywright/keywright/controllers/rotation"
)

// announce logs, counts and publishes what a pass did, once the keyring says so. One reason feeds all three.
func (r *SigningKeyReconciler) announce(ctx context.Context, p *pass) {
	for _, m := range p.decision.Moves {
		log.FromContext(ctx).Info("Moved key", "move", m.Kind, "kid", m.KeyID, "reason", m.Reason, "early", m.Early,
			"keyringGeneration", p.keyring.ring.Generation)
		r.Metrics.move(p.key.Name, m)
		kind := corev1.EventTypeNormal
		if m.Kind == rotation.Revoke || (m.Early && m.Reason == rotation.KeyRevoked) {
			kind = corev1.EventTypeWarning
		}
		r.Recorder.Eventf(p.key, nil, kind, string(m.Reason), string(m.Kind), "%s", sentence(m, p))
	}
}

// sentence says in one sentence what happened to which key, and why.
func sentence(m rotation.Move, p *pass) string {
	switch m.Kind {
	case rotation.Prepare:
		return fmt.Sprintf("Made key %s: it waits as the Standby while it is published", m.KeyID)
	case rotation.Activate:
		text := fmt.Sprintf("Key %s signs now", m.KeyID)
		if m.Early && m.Reason == rotation.KeyRevoked {
			text += fmt.Sprintf(", early, in place of a revoked key: some verifiers may not know it for up to %s",
				p.policy.PropagationDelay)
		}
		return text
	case rotation.Retire:
		return fmt.Sprintf("Key %s signs no longer: it verifies until its last token has expired", m.KeyID)
	case rotation.Revoke:
		return fmt.Sprintf("Key %s is revoked: it leaves every key set, and its tokens are rejected", m.KeyID)
	default:
		return fmt.Sprintf("Key %s leaves the key set: none of its tokens can still be valid", m.KeyID)
	}
}

// refuseRequest says once that a rotation request cannot be read.
func (r *SigningKeyReconciler) refuseRequest(p *pass) {
	_, text := PolicyOf(p.key)
	if text == "" {
		r.refusedRequest.Delete(p.key.UID)
		return
	}
	if was, _ := r.refusedRequest.Swap(p.key.UID, text); was == text {
		return
	}
	r.Recorder.Eventf(p.key, nil, corev1.EventTypeWarning, "InvalidRotateRequest", "Ignore",
		"The annotation keywright.dev/rotate-requested-at must be a time like 2026-01-31T12:00:00Z; %.40q asks for nothing", text)
}
