package signingkey

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/keystore"
)

// claim sets the annotation of this installation and the finalizer on a SigningKey if they are missing. Without the
// finalizer, a deletion would leave Secrets and trusted keys behind.
func (r *Reconciler) claim(ctx context.Context, key *keywrightv1alpha1.SigningKey) error {
	if key.DeletionTimestamp != nil {
		return nil
	}
	return r.patch(ctx, key, func() bool {
		claimed := r.Installation.Claim(key)
		return controllerutil.AddFinalizer(key, contract.Finalizer) || claimed
	})
}

// end deletes the Secrets of a SigningKey whose deletion is complete, then releases it. Its tombstones stay for a
// while.
func (r *Reconciler) end(ctx context.Context, p *pass) error {
	if !p.decision.Ended || p.trouble != nil || p.changed {
		return nil
	}
	r.reportLeftBehind(p)
	err := r.deleteSecrets(ctx, p.name)
	if err == nil {
		err = r.release(ctx, p)
	}
	if err != nil && !keystore.LostRace(err) {
		p.refuse("the deletion cannot be completed", err)
		return nil
	}
	return err
}

func (r *Reconciler) deleteSecrets(ctx context.Context, name string) error {
	for _, suffix := range []string{contract.KeyringSuffix, contract.SigningKeySuffix} {
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: r.KeyNamespace, Name: name + suffix}}
		if err := r.Client.Delete(ctx, s); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete Secret %s: %w", s.Name, err)
		}
	}
	return nil
}

// release removes the finalizer.
func (r *Reconciler) release(ctx context.Context, p *pass) error {
	err := r.patch(ctx, p.key, func() bool { return controllerutil.RemoveFinalizer(p.key, contract.Finalizer) })
	p.released = client.IgnoreNotFound(err) == nil
	return client.IgnoreNotFound(err)
}

// patch changes only metadata. An update of the whole object would also change the spelling of durations, which a
// GitOps tool would revert.
func (r *Reconciler) patch(ctx context.Context, key *keywrightv1alpha1.SigningKey, change func() bool) error {
	before := key.DeepCopy()
	if !change() {
		return nil
	}
	err := r.Client.Patch(ctx, key, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if err != nil {
		*key = *before // the next pass tries again
	}
	return err
}
