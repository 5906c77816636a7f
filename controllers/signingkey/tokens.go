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

// onlyInFiles returns requests for entries of the key namespace's list that the keyring lacks. Their Revocations were
// deleted while the keyring could not be written. Entries of a list of an older keyring have expired since.
func (p *pass) onlyInFiles() []rotation.TokenRequest {
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
			return nil // it is being restored
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

// listedForIssuers returns the UIDs of the TokenRevocations that the signing-key Secret lists.
func (p *pass) listedForIssuers() map[string]bool {
	if p.secret == nil {
		return nil
	}
	list, listed := keystore.RevokedIn(p.secret), map[string]bool{}
	for i := range p.keyring.Ring.Tokens {
		if t := &p.keyring.Ring.Tokens[i]; t.HeardAt.IsZero() && !t.Expired && desired.Lists(list, t) {
			listed[t.UID] = true
		}
	}
	return listed
}

// pendingTokens returns the requests that are not in the keyring that was read.
func (p *pass) pendingTokens() []rotation.TokenRequest {
	return p.keyring.Read.Unrecorded(p.policy.Tokens)
}

// pendingList returns the revocation list of everything that is revoked but not in the keyring.
func (p *pass) pendingList() issuerfiles.Revoked {
	return desired.Pending(p.toRemove(), p.pendingTokens(), p.policy)
}

// tokensToNudge returns the UIDs of Revocations with nudge that every file lists, and for which pods were not nudged
// yet.
func (p *pass) tokensToNudge() []string {
	var uids []string
	for i := range p.keyring.Ring.Tokens {
		if t := &p.keyring.Ring.Tokens[i]; t.Nudge && !t.RemovedAt.IsZero() && t.Nudged.At.IsZero() && !t.LeftPods {
			uids = append(uids, t.UID)
		}
	}
	return uids
}

// tokenOutcomes returns the number of Revocations of anything but keys, by outcome.
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
