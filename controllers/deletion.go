package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/rotation"
)

// retain lets a SigningKey with the policy Retain go, and reports whether it did. It does not when a keyring that cannot be read, or
// that is lost, would leave trust behind that nobody can take up again: the pass that follows says so.
func (r *SigningKeyReconciler) retain(ctx context.Context, key *keywrightv1alpha1.SigningKey) (bool, error) {
	keyring, err := readKeyring(ctx, r.API, r.KeyNamespace, key.Name)
	var unreadable *unreadableError
	if errors.As(err, &unreadable) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	secret, err := readSigningKeySecret(ctx, r.API, r.KeyNamespace, key.Name)
	if err != nil {
		return false, err
	}
	if r.anyUnrecorded(key, &keyring.ring, secret) {
		return false, nil // the pass that follows carries it out, which wakes this one again
	}
	targets, err := r.observeTargets(ctx, &pass{key: key, keyring: keyring})
	if err != nil || keyring.object == nil && secret == nil && len(targets.holders) > 0 {
		return false, err
	}
	return true, r.letGo(ctx, key)
}

// anyUnrecorded reports whether a revocation was asked for that the keyring does not record or the signing-key Secret does not know. Without
// the SigningKey nobody would ask for it any more.
func (r *SigningKeyReconciler) anyUnrecorded(key *keywrightv1alpha1.SigningKey, ring *rotation.Keyring, secret *corev1.Secret) bool {
	p := &pass{key: key}
	p.policy, _ = PolicyOf(key)
	recorded := revokedIDs(ring, nil)
	if secret != nil {
		listed := revokedIn(secret)
		recorded = slices.DeleteFunc(recorded, func(id string) bool { return !slices.Contains(listed, id) })
	}
	return slices.ContainsFunc(r.remember(p), func(id string) bool { return !slices.Contains(recorded, id) })
}

// finish deletes the Secrets of a SigningKey that nobody trusts any more, then lets it go. Its tombstones stay for a while.
func (r *SigningKeyReconciler) finish(ctx context.Context, key *keywrightv1alpha1.SigningKey) error {
	for _, suffix := range []string{contract.KeyringSuffix, contract.SigningKeySuffix} {
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: r.KeyNamespace, Name: key.Name + suffix}}
		if err := r.Client.Delete(ctx, s); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete Secret %s: %w", s.Name, err)
		}
	}
	return r.letGo(ctx, key)
}

// letGo removes the finalizer.
func (r *SigningKeyReconciler) letGo(ctx context.Context, key *keywrightv1alpha1.SigningKey) error {
	return client.IgnoreNotFound(r.patch(ctx, key, func() bool { return controllerutil.RemoveFinalizer(key, contract.Finalizer) }))
}

// takeUp claims a SigningKey for this installation, and puts the finalizer on it whenever it is missing: without it, a deletion would
// leave Secrets and trust behind.
func (r *SigningKeyReconciler) takeUp(ctx context.Context, key *keywrightv1alpha1.SigningKey) error {
	return r.patch(ctx, key, func() bool {
		claimed := r.Installation.claim(key)
		return controllerutil.AddFinalizer(key, contract.Finalizer) || claimed
	})
}

// patch changes metadata and nothing else: an update of the whole object would write durations in another spelling, over which
// a GitOps tool and the controller would then quarrel.
func (r *SigningKeyReconciler) patch(ctx context.Context, key *keywrightv1alpha1.SigningKey, change func() bool) error {
	before := key.DeepCopy()
	if !change() {
		return nil
	}
	return r.Client.Patch(ctx, key, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}
