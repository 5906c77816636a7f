package signingkey

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/keystore"
	"github.com/keywright/keywright/controllers/rotation"
)

// apply carries out a decision: it writes the keyring, hands over the files, and writes the signing-key Secret, in this
// order. Only apply writes. A refused write does not delay revocations in the other objects.
func (r *Reconciler) apply(ctx context.Context, p *pass) error {
	switch {
	case p.key == nil:
		r.forget(p.name)
		r.handOver(p)
		p.released = true
		return nil
	case p.release:
		refused := r.release(ctx, p)
		if p.released || keystore.LostRace(refused) {
			return refused
		}
		return r.applyAll(ctx, p, refused) // the keys are maintained until the finalizer is gone
	}
	unclaimed := r.claim(ctx, p.key)
	if keystore.LostRace(unclaimed) {
		return unclaimed
	}
	return r.applyAll(ctx, p, unclaimed)
}

// applyAll carries out the decision about the keys. refused is the error of writing the finalizer, or nil. The status
// reports it unless another write is refused, too.
func (r *Reconciler) applyAll(ctx context.Context, p *pass, refused error) error {
	r.trackPending(p)
	if err := r.applyKeys(ctx, p); err != nil {
		return err
	}
	if refused != nil && p.refusal == nil {
		p.refuse("the finalizer of the SigningKey cannot be written", refused)
	}
	r.requestNudges(p)
	return r.end(ctx, p)
}

// applyKeys writes the keyring, hands over the files, and writes the signing-key Secret.
func (r *Reconciler) applyKeys(ctx context.Context, p *pass) error {
	if p.nothingLeft() {
		return nil
	}
	if err := r.writeKeyring(ctx, p); err != nil {
		return err
	}
	r.handOver(p)
	return r.writeSecret(ctx, p)
}

// writeKeyring writes the keyring if it changed. If the write is refused, the keyring that was read stays in use.
func (r *Reconciler) writeKeyring(ctx context.Context, p *pass) error {
	if p.frozen() {
		return nil
	}
	if p.decision.Wanted != nil {
		material, err := r.Generate(*p.decision.Wanted)
		if err != nil {
			return err
		}
		p.decision.Prepare(p.now, material)
	}
	if p.decision.WantedSealing {
		secret := make(rotation.SealingSecret, rotation.SealingSecretBytes)
		_, _ = rand.Read(secret) // never fails
		p.decision.PrepareSealing(p.now, secret, p.policy)
	}
	if p.keyring.Object != nil && p.unreadable == nil && p.decision.Next.Equal(p.keyring.Read) {
		return nil
	}
	began := r.Now()
	err := r.beforeCreatingKeyring(ctx, p)
	written := keystore.Keyring{}
	if err == nil {
		written, err = keystore.WriteKeyring(ctx, r.Client, r.KeyNamespace, p.name, p.keyring.Object, p.decision.Next)
	}
	switch {
	case keystore.LostRace(err):
		return err
	case err != nil:
		p.refuse("Secret "+p.name+contract.KeyringSuffix+" cannot be written", err)
		p.unrecorded = true
		r.trackPending(p)
	default:
		p.keyring, p.changed, p.confirmed = written, true, began
		r.announce(ctx, p)
	}
	return nil
}

// handOver gives the distribution the projection of this name. Its time is when the keyring was read, in case this pass
// was delayed since.
func (r *Reconciler) handOver(p *pass) {
	projection, ok := p.projection(r.KeyNamespace)
	if !ok {
		r.Projections.Drop(p.name)
		return
	}
	r.Projections.Set(p.name, projection)
	if p.key != nil && p.projectsFrozen() { // targets get no key meanwhile, so none may be left behind for that
		r.Published.HandOver(p.name, nil)
	}
}

// writeSecret updates the signing-key Secret from the keyring, or removes revoked keys from it if there is no usable
// keyring. If that is refused too, issuers find revocations in the revocation list of the key namespace. Only the pass
// that read the Secret may replace it.
func (r *Reconciler) writeSecret(ctx context.Context, p *pass) error {
	stripping := p.frozen() || p.unrecorded
	changed, err := r.replaceSecret(ctx, p, stripping)
	switch {
	case keystore.LostRace(err):
		return err
	case err != nil:
		p.refuse("Secret "+p.name+contract.SigningKeySuffix+" cannot be written", err)
		if p.policy.Deleting {
			r.handOver(p) // issuers read in the revocation list that they must stop signing
		}
		return nil
	}
	p.changed = p.changed || changed
	if !stripping { // after the Secret has the keys: the wait for targets must not end before /jwks serves them
		r.Published.HandOver(p.name, p.keyring.Ring.PublishedIDs())
	}
	return nil
}

// replaceSecret writes the signing-key Secret unless it is up to date. It reports whether it did.
func (r *Reconciler) replaceSecret(ctx context.Context, p *pass, stripping bool) (bool, error) {
	var want *corev1.Secret
	if stripping {
		if p.secret == nil {
			return false, nil
		}
		var changed bool
		if want, changed = stripped(p.secret, p.pendingList(), p.policy); !changed {
			return false, nil
		}
	} else {
		var err error
		want, err = keystore.Project(r.KeyNamespace, p.name, &p.keyring.Ring, p.policy, p.secret)
		if err != nil || keystore.Same(p.secret, want) {
			return false, err
		}
		if err := r.beforeCreatingSecret(ctx, p); err != nil {
			return false, err
		}
	}
	if err := keystore.CreateOrUpdate(ctx, r.Client, want, p.secret); err != nil {
		return false, err
	}
	p.secret = want
	return true, nil
}

// stripped returns a signing-key Secret without the revoked keys, with them in its revocation list, and without a
// signing key if signing has ended. It reports whether that changed the Secret.
func stripped(s *corev1.Secret, also issuerfiles.Revoked, policy rotation.Policy) (*corev1.Secret, bool) {
	want := s.DeepCopy()
	if want.Data == nil {
		want.Data = map[string][]byte{}
	}
	if clean, changed := issuerfiles.Without(s.Data[contract.JWKSFile], also.KeyIDs); changed {
		want.Data[contract.JWKSFile] = clean
	}
	active := issuerfiles.KeyID(s.Data[contract.ActiveFile])
	revoked := slices.Contains(also.KeyIDs, active)
	if policy.Ending() || revoked {
		delete(want.Data, contract.ActiveFile)
	}
	if policy.Ending() || revoked && !slices.Contains(policy.KeepSessions, active) { // an attacker may have both kinds of keys
		delete(want.Data, contract.SealingFile)
	}
	want.Data[contract.RevokedFile] = keystore.RevokedIn(s).Union(also).Encode()
	return want, !maps.EqualFunc(s.Data, want.Data, func(a, b []byte) bool { return string(a) == string(b) })
}

// beforeCreatingKeyring reads the SigningKey and the signing-key Secret from the API server, and returns ErrOvertaken
// if they changed. A delayed pass must not replace a keyring that was created and deleted meanwhile, and a lagging
// cache must not create one for a deleted SigningKey.
func (r *Reconciler) beforeCreatingKeyring(ctx context.Context, p *pass) error {
	if p.keyring.Object != nil {
		return nil
	}
	var key keywrightv1alpha1.SigningKey
	err := r.API.Get(ctx, client.ObjectKeyFromObject(p.key), &key)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return err
	case err != nil, key.UID != p.key.UID, (key.DeletionTimestamp == nil) != (p.key.DeletionTimestamp == nil):
		return keystore.ErrOvertaken
	}
	now, err := keystore.ReadSigningKey(ctx, r.API, r.KeyNamespace, p.name)
	switch {
	case err != nil:
		return err
	case (now == nil) != (p.secret == nil), now != nil && now.ResourceVersion != p.secret.ResourceVersion:
		return keystore.ErrOvertaken
	}
	return nil
}

// beforeCreatingSecret reads the keyring again, and returns ErrOvertaken if it changed: an older projection must not
// replace a Secret that was created and deleted meanwhile.
func (r *Reconciler) beforeCreatingSecret(ctx context.Context, p *pass) error {
	if p.secret != nil {
		return nil
	}
	now, err := keystore.ReadKeyring(ctx, r.API, r.KeyNamespace, p.name)
	switch {
	case err != nil:
		return err
	case now.Object == nil, now.Object.ResourceVersion != p.keyring.Object.ResourceVersion:
		return keystore.ErrOvertaken
	}
	return nil
}
