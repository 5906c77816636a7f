package signingkey

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/keystore"
	"github.com/keywright/keywright/controllers/rotation"
)

// pass has the observations, the decision and the results of one pass over a SigningKey.
type pass struct {
	name string
	// key is nil if there is no SigningKey of this name.
	key    *keywrightv1alpha1.SigningKey
	policy rotation.Policy
	// revocations are the Revocations of this name.
	revocations []keywrightv1alpha1.Revocation
	// requested are the key IDs that the spec revokes, or revoked at any time since this process started.
	requested []string
	// at was read before anything else, now after it.
	at, now time.Time
	// confirmed is a time just before the keyring was read or written.
	confirmed time.Time
	keyring   keystore.Keyring
	// unreadable is why the keyring cannot be decoded, nil if it can.
	unreadable *keystore.UnreadableError
	secret     *corev1.Secret
	targets    targets
	ca         caSource
	observed   rotation.Observed

	decision rotation.Decision
	// trouble is a state that only an admin can end, nil if there is none.
	trouble *trouble
	// pending are the revocations that are not in the keyring.
	pending []rotation.Revocation

	// release is set if the deletion only has to remove the finalizer. released is set if that is done, or if there is no
	// SigningKey.
	release, released bool
	// changed is set if something was written, so that another pass may find more to do.
	changed bool
	// refusal is why the last write was refused, nil if it was not.
	refusal error
	// unrecorded is set if the keyring could not be written: the decision is in no keyring.
	unrecorded bool
	// fell are the namespaces whose file recently lost the Standby and was restored, sorted.
	fell []string
	// podsLeft is the number of pods that are still to be nudged, by revoked key.
	podsLeft map[string]int32
	// reportAgain is when to report progress that was not reported in this pass, or zero.
	reportAgain time.Time
}

// trouble is a state that only an admin can end.
type trouble struct {
	// reason is a condition reason.
	reason  string
	message string
	// frozen is set while the keyring cannot be used: nothing is planned, and only revocations are carried out.
	frozen bool
}

func (p *pass) frozen() bool { return p.trouble != nil && p.trouble.frozen }

// observe reads everything that the decision depends on, and writes nothing.
func (r *Reconciler) observe(ctx context.Context, name string, key *keywrightv1alpha1.SigningKey) (*pass, error) {
	p := &pass{name: name, key: key, at: r.Now()}
	p.confirmed = p.at
	if key != nil {
		p.policy, _ = desired.PolicyOf(key)
	}
	if err := r.observeRevocations(ctx, p); err != nil {
		return p, err
	}
	if key != nil {
		p.requested = r.remember(p)
		p.policy.Revoked = p.requested
	}
	var err error
	p.keyring, err = keystore.ReadKeyring(ctx, r.API, r.KeyNamespace, name)
	if err != nil && !errors.As(err, &p.unreadable) {
		return p, err
	}
	if p.secret, err = keystore.ReadSigningKey(ctx, r.API, r.KeyNamespace, name); err != nil {
		return p, err
	}
	p.policy.Revoked = union(p.policy.Revoked, keystore.RevokedIn(p.secret).KeyIDs)
	if key == nil {
		p.now = r.Now()
		return p, nil
	}
	if p.targets, err = r.observeTargets(ctx, p); err != nil {
		return p, err
	}
	p.policy.Revoked = union(p.policy.Revoked, p.targets.list.KeyIDs)
	p.policy.Tokens = append(p.policy.Tokens, p.onlyInFiles()...)
	p.ca = r.observeCA(ctx, p.key.Spec.Distribution.CAConfigMap)
	p.now = r.Now()
	r.resumeFromProof(p)
	if s := p.keyring.Ring.Standby(); s != nil {
		p.fell = r.Published.FellBack(name, s.PublishedAt)
	}
	p.observed = rotation.Observed{
		At: p.at, Secret: keystore.Observe(p.secret), Lagging: p.targets.lagging, Holders: len(p.targets.holders), Digest: p.digest(),
		HeldSince:  r.Published.HeldSince(name, p.keyring.Ring.PublishedIDs()),
		HandedOver: r.Published.HandedOver(name),
		Holding:    p.targets.holding, Nudged: r.Refreshes.Finished(name),
		Listed: p.listed(), Heard: p.listedForIssuers(), Files: p.targets.selected + p.targets.kept, FileBytes: p.targets.largest,
		CA: p.ca.holds,
	}
	return p, nil
}

// remember returns every key ID that this process has seen in the spec, which a GitOps tool may reset before the
// keyring can be written. Revocations that outlive the process are read from the lists of the signing-key Secret and of
// the key namespace.
func (r *Reconciler) remember(p *pass) []string {
	var seen []string
	if before, ok := r.seenRevoked.Load(p.name); ok {
		seen, _ = before.([]string)
	}
	all := union(p.policy.Revoked, seen)
	if len(all) > len(seen) {
		r.seenRevoked.Store(p.name, all)
	}
	return all
}

func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, id := range b {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}

// digest returns a digest of the resource versions of all objects in which a Standby is published.
func (p *pass) digest() string {
	if p.secret == nil {
		return ""
	}
	return desired.Digest(p.targets.digest + " " + string(p.secret.UID) + " " + p.secret.ResourceVersion)
}

// resumeFromProof lets a process that has just started continue the wait of the Standby, if no target changed
// meanwhile.
func (r *Reconciler) resumeFromProof(p *pass) {
	if s := p.keyring.Ring.Standby(); s != nil {
		r.Published.Resume(p.name, s.ID, s.Proof, p.digest())
	}
}
