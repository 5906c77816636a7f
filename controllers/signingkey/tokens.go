package signingkey

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/keystore"
	"github.com/keywright/keywright/controllers/rotation"
)

// observeRevocations reads the Revocations of a SigningKey from the cache.
func (r *Reconciler) observeRevocations(ctx context.Context, p *pass) error {
	var list keywrightv1alpha1.RevocationList
	if err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list Revocations: %w", err)
	}
	p.revocations = slices.DeleteFunc(slices.Clone(list.Items), func(v keywrightv1alpha1.Revocation) bool { return v.Spec.SigningKey != p.name })
	p.policy.Revoked = union(p.policy.Revoked, desired.KeyIDsOf(p.revocations, p.name))
	p.policy.KeepSessions = desired.KeepSessionsOf(p.revocations, p.name)
	p.policy.Tokens = desired.TokenRequestsOf(p.revocations, p.name, p.policy)
	return nil
}

// inFilesAlone returns requests for what the list of the key namespace ends and the keyring does not record. It was asked for by a Revocation that
// was deleted again while the keyring could not be written. What the list of an older keyring names has expired since.
func (p *pass) inFilesAlone() []rotation.TokenRequest {
	ring := &p.keyring.Ring
	if p.unreadable != nil || p.keyring.Object == nil || p.targets.listGeneration < ring.Generation {
		return nil
	}
	known := desired.RevokedOf(ring, desired.Pending(nil, p.policy.Tokens, p.policy))
	var requests []rotation.TokenRequest
	for _, t := range desired.TokensOf(p.targets.list) {
		if !desired.Lists(known, &t) {
			requests = append(requests, rotation.TokenRequest{UID: "in-files-alone:" + t.Digest, At: p.at, Digest: t.Digest, Before: t.Before})
		}
	}
	return requests
}

// listed returns the UIDs of the TokenRevocations that the signing-key Secret and every file list.
func (p *pass) listed() map[string]bool {
	if p.secret == nil {
		return nil
	}
	lists := []issuerfiles.Revoked{keystore.RevokedIn(p.secret)}
	for content := range p.targets.lists {
		list, err := issuerfiles.DecodeRevoked([]byte(content))
		if err != nil {
			return nil // it is being put right
		}
		lists = append(lists, list)
	}
	listed := map[string]bool{}
	for i := range p.keyring.Ring.Tokens {
		t := &p.keyring.Ring.Tokens[i]
		missing := func(list issuerfiles.Revoked) bool { return !desired.Lists(list, t) }
		if t.RemovedAt.IsZero() && !t.LeftPods && !slices.ContainsFunc(lists, missing) {
			listed[t.UID] = true
		}
	}
	return listed
}

// heard returns the UIDs of the TokenRevocations that the signing-key Secret lists.
func (p *pass) heard() map[string]bool {
	if p.secret == nil {
		return nil
	}
	list, heard := keystore.RevokedIn(p.secret), map[string]bool{}
	for i := range p.keyring.Ring.Tokens {
		if t := &p.keyring.Ring.Tokens[i]; t.HeardAt.IsZero() && !t.Expired && desired.Lists(list, t) {
			heard[t.UID] = true
		}
	}
	return heard
}

// pendingTokens are the requests that the keyring which was read does not record.
func (p *pass) pendingTokens() []rotation.TokenRequest {
	return p.keyring.Read.Unrecorded(p.policy.Tokens)
}

// pendingList is what must be trusted nowhere although no keyring records it.
func (p *pass) pendingList() issuerfiles.Revoked {
	return desired.Pending(p.toTakeAway(), p.pendingTokens(), p.policy)
}

// tokensToNudge are the Revocations with nudge that every file lists: pods are touched for them next.
func (p *pass) tokensToNudge() []string {
	var uids []string
	for i := range p.keyring.Ring.Tokens {
		if t := &p.keyring.Ring.Tokens[i]; t.Nudge && !t.RemovedAt.IsZero() && t.Nudged.At.IsZero() && !t.LeftPods {
			uids = append(uids, t.UID)
		}
	}
	return uids
}

// tokenOutcomes counts Revocations of anything but keys by how far they are.
func (p *pass) tokenOutcomes() map[string]float64 {
	refused := float64(len(p.decision.TokensFull))
	out := map[string]float64{"open": float64(len(p.pendingTokens())) - refused, "listed": 0, "refused": refused}
	for i := range p.keyring.Ring.Tokens {
		switch t := &p.keyring.Ring.Tokens[i]; {
		case t.LeftPods:
		case t.RemovedAt.IsZero():
			out["open"]++
		default:
			out["listed"]++
		}
	}
	return out
}
