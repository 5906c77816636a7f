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

// apply carries a decision out: the keyring first, then the files of the services, then the Secret of the issuers. It is the only
// place that writes or hands over. A write that is refused keeps no revocation from the rest.
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
		return r.applyAll(ctx, p, refused) // until it can go, its keys are looked after
	}
	unclaimed := r.claim(ctx, p.key)
	if keystore.LostRace(unclaimed) {
		return unclaimed
	}
	return r.applyAll(ctx, p, unclaimed)
}

// applyAll carries out what was decided about the keys. refused is why the finalizer could not be written, nil if it could: the status says
// so unless something else is refused, too.
func (r *Reconciler) applyAll(ctx context.Context, p *pass, refused error) error {
	r.trackPending(p)
	if err := r.applyKeys(ctx, p); err != nil {
		return err
	}
	if refused != nil && p.refusal == nil {
		p.refuse("the finalizer of the SigningKey cannot be written", refused)
	}
	r.askForRefreshes(p)
	return r.end(ctx, p)
}

// applyKeys writes both Secrets, and hands over what the files must be in between.
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

// writeKeyring writes the keyring if it changed. If that is refused, the keyring to go by is still the one that was read.
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

// handOver gives the distribution what the files of this name must be. A pass that was held up since it read the keyring does not claim to
// know it as it is now.
func (r *Reconciler) handOver(p *pass) {
	projection, answered := p.projection(r.KeyNamespace)
	if !answered {
		r.Projections.Drop(p.name)
		return
	}
	r.Projections.Set(p.name, projection)
	if p.key != nil && p.leftAsItIs() { // targets are given no key meanwhile: none is left behind for that
		r.Published.HandOver(p.name, nil)
	}
}

// writeSecret brings the signing-key Secret up to the keyring, or takes revoked keys out of it while there is no keyring to go by. Where
// that is refused too, its issuers learn of revocations from the revocation list of the key namespace. Only the pass that read the Secret
// may replace it.
func (r *Reconciler) writeSecret(ctx context.Context, p *pass) error {
	stripping := p.frozen() || p.unrecorded
	changed, err := r.replaceSecret(ctx, p, stripping)
	switch {
	case keystore.LostRace(err):
		return err
	case err != nil:
		p.refuse("Secret "+p.name+contract.SigningKeySuffix+" cannot be written", err)
		if p.policy.Deleting {
			r.handOver(p) // its issuers learn from the revocation list that nothing is signed any more
		}
		return nil
	}
	p.changed = p.changed || changed
	if !stripping { // not before the Secret serves the keys: no wait for targets ends before readers of /jwks could know a key
		r.Published.HandOver(p.name, p.keyring.Ring.PublishedIDs())
	}
	return nil
}

// replaceSecret writes the signing-key Secret unless it is right. It reports whether it did.
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

// stripped returns a signing-key Secret that also lists what is revoked, without the keys among it, and without one to sign with if nothing may be signed any more. It
// reports whether that changed it.
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
	if policy.Ending() || revoked && !slices.Contains(policy.KeepSessions, active) { // who has the one has the others
		delete(want.Data, contract.SealingFile)
	}
	want.Data[contract.RevokedFile] = keystore.RevokedIn(s).Union(also).Encode()
	return want, !maps.EqualFunc(s.Data, want.Data, func(a, b []byte) bool { return string(a) == string(b) })
}

// beforeCreatingKeyring looks again whether the signing-key Secret is as it was read, and asks the API server itself for the SigningKey.
// A pass that stalled since then must not begin a keyring anew in place of one that came and went meanwhile, and a cache that lags must
// not have one made for a SigningKey that is gone.
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

// beforeCreatingSecret looks again whether the keyring is as it was read: an older projection must not take the place of a
// Secret that came and went meanwhile.
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
