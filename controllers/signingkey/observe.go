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

// pass is what one look at a SigningKey found, decided and did.
type pass struct {
	name string
	// key is nil if there is no SigningKey of this name.
	key    *keywrightv1alpha1.SigningKey
	policy rotation.Policy
	// revocations are the Revocations of this name.
	revocations []keywrightv1alpha1.Revocation
	// asked are the key IDs that the spec names as revoked, or named while this process watched.
	asked []string
	// at was read before anything else, now after it.
	at, now time.Time
	// confirmed is before the keyring was read, or written.
	confirmed time.Time
	keyring   keystore.Keyring
	// unreadable is why the keyring cannot be understood.
	unreadable *keystore.UnreadableError
	secret     *corev1.Secret
	targets    targets
	ca         caSource
	observed   rotation.Observed

	decision rotation.Decision
	// trouble is a state that only an admin can end, nil if there is none.
	trouble *trouble
	// pending are the revocations that no keyring records.
	pending []rotation.Revocation

	// release is set when the deletion is over for Keywright but for the finalizer, and released when that is gone too, or there is no
	// SigningKey.
	release, released bool
	// changed reports whether something was written, and another pass may find more to do.
	changed bool
	// refusal is why the last write was refused.
	refusal error
	// unrecorded is set when the keyring could not be written: what was decided is in no keyring.
	unrecorded bool
	// fell are the namespaces whose file lost the Standby lately and was put right, sorted.
	fell []string
	// podsLeft is, for each revoked key whose nudging is not done, how many pods wait for it.
	podsLeft map[string]int32
	// reportAgain is when to report progress that was not reported now, or zero.
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

// observe reads everything that a decision goes by, and writes nothing.
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
		p.asked = r.remember(p)
		p.policy.Revoked = p.asked
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
	p.policy.Tokens = append(p.policy.Tokens, p.inFilesAlone()...)
	p.ca = r.observeCA(ctx, p.key.Spec.Distribution.CAConfigMap)
	p.now = r.Now()
	r.lookAtProof(p)
	if s := p.keyring.Ring.Standby(); s != nil {
		p.fell = r.Published.FellBack(name, s.PublishedAt)
	}
	p.observed = rotation.Observed{
		At: p.at, Secret: keystore.Observe(p.secret), Lagging: p.targets.lagging, Holders: len(p.targets.holders), Digest: p.digest(),
		HeldSince:  r.Published.HeldSince(name, p.keyring.Ring.PublishedIDs()),
		HandedOver: r.Published.HandedOver(name),
		Holding:    p.targets.holding, Nudged: r.Refreshes.Finished(name),
		Listed: p.listed(), Heard: p.heard(), Files: p.targets.selected + p.targets.kept, FileBytes: p.targets.largest,
		CA: p.ca.holds,
	}
	return p, nil
}

// remember returns every key ID that this process ever saw in the spec, which a GitOps tool may reset while nothing can be read or
// written. What outlives the process is added when it is read: the revocation lists of the signing-key Secret and of the key namespace.
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

// digest is one of the resource versions of everything that a Standby is published in.
func (p *pass) digest() string {
	if p.secret == nil {
		return ""
	}
	return desired.Digest(p.targets.digest + " " + string(p.secret.UID) + " " + p.secret.ResourceVersion)
}

// lookAtProof lets a process that has just started go on where the last one ended, if nothing changed meanwhile.
func (r *Reconciler) lookAtProof(p *pass) {
	if s := p.keyring.Ring.Standby(); s != nil {
		r.Published.Resume(p.name, s.ID, s.Proof, p.digest())
	}
}
