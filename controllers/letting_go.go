package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// letGoWithin bounds how long a deletion waits for the last file to be taken away. A target that refuses for longer is
// cleaned when it no longer refuses: its file then belongs to no keyring.
const letGoWithin = 30 * time.Second

// letGo carries out the deletion policies Retain and Delete. It is not done when a retained keyring would leave trust
// behind that nobody can take up again.
func (r *SigningKeyReconciler) letGo(ctx context.Context, key *keywrightv1alpha1.SigningKey) (bool, ctrl.Result, error) {
	holders, err := countHolders(ctx, r.Client, key.Name)
	if err != nil {
		return false, ctrl.Result{}, err
	}
	if key.Spec.DeletionPolicy == keywrightv1alpha1.Delete {
		result, err := r.finish(ctx, key, holders)
		return true, result, err
	}
	keyring, err := readKeyring(ctx, r.API, r.KeyNamespace, key.Name)
	if err != nil {
		return false, ctrl.Result{}, nil //nolint:nilerr // an unreadable keyring is reported by the pass that follows
	}
	secret, err := readSigningKeySecret(ctx, r.API, r.KeyNamespace, key.Name)
	if err != nil {
		return false, ctrl.Result{}, err
	}
	if keyring.object == nil && secret == nil && holders > 0 {
		return false, ctrl.Result{}, nil
	}
	return true, ctrl.Result{}, r.removeFinalizer(ctx, key)
}

// drained tells whether a SigningKey that drains has no key left.
func (p *pass) drained() bool {
	return p.policy.Draining && p.trouble == nil && !p.changed && len(p.keyring.ring.PublishedIDs()) == 0
}

// finish takes the files away everywhere, then the Secrets, then the finalizer.
func (r *SigningKeyReconciler) finish(ctx context.Context, key *keywrightv1alpha1.SigningKey, holders int) (ctrl.Result, error) {
	now := r.Now()
	r.Projections.set(key.Name, projection{gone: true, confirmed: now})
	since, _ := r.lettingGo.LoadOrStore(key.UID, now)
	if began, ok := since.(time.Time); ok && holders > 0 && now.Sub(began) < letGoWithin {
		return ctrl.Result{RequeueAfter: 200 * time.Millisecond}, nil
	}
	for _, suffix := range []string{contract.SigningKeySuffix, contract.KeyringSuffix} {
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: r.KeyNamespace, Name: key.Name + suffix}}
		if err := r.Client.Delete(ctx, s); client.IgnoreNotFound(err) != nil {
			return ctrl.Result{}, fmt.Errorf("delete Secret %s: %w", s.Name, err)
		}
	}
	r.lettingGo.Delete(key.UID)
	return ctrl.Result{}, r.removeFinalizer(ctx, key)
}

func (r *SigningKeyReconciler) removeFinalizer(ctx context.Context, key *keywrightv1alpha1.SigningKey) error {
	return client.IgnoreNotFound(r.changeFinalizers(ctx, key, controllerutil.RemoveFinalizer))
}

// changeFinalizers patches nothing else: an update of the whole object would write durations in another spelling, over which
// a GitOps tool and the controller would then quarrel.
func (r *SigningKeyReconciler) changeFinalizers(
	ctx context.Context, key *keywrightv1alpha1.SigningKey, change func(client.Object, string) bool,
) error {
	before := key.DeepCopy()
	if !change(key, contract.Finalizer) {
		return nil
	}
	return r.Client.Patch(ctx, key, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// countHolders counts the namespaces whose ConfigMap has the file of a SigningKey, Terminating ones aside.
func countHolders(ctx context.Context, c client.Reader, name string) (int, error) {
	var list corev1.ConfigMapList
	if err := c.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return 0, fmt.Errorf("list ConfigMaps %s: %w", contract.JWKSConfigMap, err)
	}
	n := 0
	for i := range list.Items {
		if _, has := list.Items[i].Data[name+contract.JWKSSuffix]; has && list.Items[i].Name == contract.JWKSConfigMap {
			n++
		}
	}
	return n, nil
}
