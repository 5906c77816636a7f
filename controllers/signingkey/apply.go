package signingkey

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/keystore"
	"github.com/keywright/keywright/controllers/rotation"
)

// apply carries a decision out: the keyring first, then the files of the services, then the Secret of the issuers. It is the only
// place that writes or hands over. A write that is refused keeps no revocation from the rest.
func (r *Reconciler) apply(ctx context.Context, p *pass) error {
	if p.nothingLeft() {
		return nil
	}
	if p.frozen() {
		return r.applyRevocations(ctx, p)
	}
	if p.decision.Wanted != nil {
		material, err := r.Generate(*p.decision.Wanted)
		if err != nil {
			return err
		}
		p.decision.Prepare(p.now, material)
	}
	if err := r.writeKeyring(ctx, p); keystore.LostRace(err) {
		return err
	} else if err != nil {
		p.refuse("Secret "+p.key.Name+contract.KeyringSuffix, err)
		r.trackPending(p)
		return r.applyRevocations(ctx, p)
	}
	r.handOver(p, nil)
	if err := r.writeSecret(ctx, p); keystore.LostRace(err) {
		return err
	} else if err != nil {
		p.refuse("Secret "+p.key.Name+contract.SigningKeySuffix, err)
		if p.policy.Deleting { // its issuers learn it from the revocation list
			r.handOver(p, p.toTakeAway())
		}
		return nil
	}
	// Not before the Secret serves the keys: no wait for targets ends before readers of /jwks could know a key.
	r.Published.HandOver(p.key.Name, p.keyring.Ring.PublishedIDs())
	return nil
}

// writeKeyring writes the keyring if it changed.
func (r *Reconciler) writeKeyring(ctx context.Context, p *pass) error {
	if p.keyring.Object != nil && p.unreadable == nil && p.decision.Next.Equal(p.keyring.Read) {
		return nil
	}
	if err := r.beforeCreatingKeyring(ctx, p); err != nil {
		return err
	}
	written, err := keystore.WriteKeyring(ctx, r.Client, r.KeyNamespace, p.key.Name, p.keyring.Object, p.decision.Next)
	if err != nil {
		return err
	}
	p.keyring, p.changed = written, true
	r.announce(ctx, p)
	return nil
}

// handOver gives the keyring, which was just read or written, to the distribution. A SigningKey that nobody is to trust any more keeps its
// targets: where a ConfigMap is gone, running pods have the keys all the same, and must hear of the tombstone.
func (r *Reconciler) handOver(p *pass, alsoRevoked []string) {
	ring := &p.keyring.Ring
	projected := desired.New(ring, p.policy, alsoRevoked, r.Now())
	projected.Selector, projected.KeyNamespace = p.targets.selector, r.KeyNamespace
	projected.KeepFor = keepFor(p.policy, ring)
	r.Projections.Set(p.key.Name, projected)
}

// writeSecret brings the signing-key Secret up to the keyring. Only the pass that read it may replace it.
func (r *Reconciler) writeSecret(ctx context.Context, p *pass) error {
	want, err := keystore.Project(r.KeyNamespace, p.key.Name, &p.keyring.Ring, p.policy, p.secret)
	if err != nil || keystore.Same(p.secret, want) {
		return err
	}
	if err := r.beforeCreatingSecret(ctx, p); err != nil {
		return err
	}
	if err := keystore.CreateOrUpdate(ctx, r.Client, want, p.secret); err != nil {
		return err
	}
	p.secret, p.changed = want, true
	return nil
}

// applyRevocations takes revoked keys away although the keyring cannot be read, trusted or written: from the files, and from the
// Secret of the issuers. Where that refuses too, its issuers learn it from the revocation list of the key namespace.
func (r *Reconciler) applyRevocations(ctx context.Context, p *pass) error {
	revoked := p.toTakeAway()
	if p.trouble.frozen || p.keyring.Object == nil || p.unreadable != nil {
		r.Projections.Set(p.key.Name, desired.NewFrozen(revoked, r.KeyNamespace, r.Now()))
		r.Published.HandOver(p.key.Name, nil) // targets are given no key meanwhile: none is left behind for that
	} else {
		r.handOver(p, revoked)
	}
	if p.secret == nil {
		return nil
	}
	want, changed := stripped(p.secret, revoked, p.policy)
	if !changed {
		return nil
	}
	if err := keystore.CreateOrUpdate(ctx, r.Client, want, p.secret); keystore.LostRace(err) {
		return err
	} else if err != nil {
		p.refuse("Secret "+want.Name, err)
		return nil
	}
	p.secret, p.changed = want, true
	return nil
}

// stripped returns a signing-key Secret without revoked keys, and without one to sign with if nothing may be signed any more. It
// reports whether that changed it.
func stripped(s *corev1.Secret, revoked []string, policy rotation.Policy) (*corev1.Secret, bool) {
	want := s.DeepCopy()
	if want.Data == nil {
		want.Data = map[string][]byte{}
	}
	if clean, changed := issuerfiles.Without(s.Data[contract.JWKSFile], revoked); changed {
		want.Data[contract.JWKSFile] = clean
	}
	if policy.Ending() || slices.Contains(revoked, issuerfiles.KeyID(s.Data[contract.ActiveFile])) {
		delete(want.Data, contract.ActiveFile)
	}
	want.Data[contract.RevokedFile] = issuerfiles.Revoked{KeyIDs: union(revoked, keystore.RevokedIn(s))}.Encode()
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
	now, err := keystore.ReadSigningKey(ctx, r.API, r.KeyNamespace, p.key.Name)
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
	now, err := keystore.ReadKeyring(ctx, r.API, r.KeyNamespace, p.key.Name)
	switch {
	case err != nil:
		return err
	case now.Object == nil, now.Object.ResourceVersion != p.keyring.Object.ResourceVersion:
		return keystore.ErrOvertaken
	}
	return nil
}
