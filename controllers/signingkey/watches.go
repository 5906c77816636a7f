package signingkey

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/keystore"
	"github.com/keywright/keywright/controllers/wiring"
)

// Name implements wiring.Controller.
func (r *Reconciler) Name() string { return "signingkey" }

// Workers implements wiring.Controller.
func (r *Reconciler) Workers() int { return 4 }

// Watches returns watches of SigningKeys, Revocations, Secrets of the key namespace, Namespaces and their ConfigMaps.
func (r *Reconciler) Watches() []wiring.Watch {
	changed := predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, wiring.DeletionChanged(), finalizersChanged())
	return []wiring.Watch{
		{Object: &keywrightv1alpha1.SigningKey{}, Handler: &handler.EnqueueRequestForObject{}, Predicates: []predicate.Predicate{changed}},
		{Object: &keywrightv1alpha1.Revocation{}, Handler: handler.EnqueueRequestsFromMapFunc(revocationToSigningKey), Predicates: []predicate.Predicate{predicate.GenerationChangedPredicate{}}},
		{Object: &corev1.Secret{}, Metadata: true, Handler: handler.EnqueueRequestsFromMapFunc(secretToSigningKey)},
		{Object: &corev1.Namespace{}, Metadata: true, Handler: r.enqueueAll(), Predicates: []predicate.Predicate{wiring.SelectionChanged()}},
		{Object: &corev1.ConfigMap{}, Handler: r.Published.Handler()},
	}
}

// Sources returns sources of the progress of nudges, and of changes of RequestAuthentications and CA ConfigMaps.
func (r *Reconciler) Sources() []source.Source {
	all := []source.Source{r.Refreshes.Progressed()}
	if r.CAs != nil {
		all = append(all, source.Kind[client.Object](r.CAs, &corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.caToSigningKeys)))
	}
	if r.Istio != nil {
		all = append(all, source.Func(r.onProxies))
	}
	return all
}

// caToSigningKeys returns the SigningKeys that name a ConfigMap.
func (r *Reconciler) caToSigningKeys(ctx context.Context, o client.Object) []reconcile.Request {
	var keys keywrightv1alpha1.SigningKeyList
	if err := r.Client.List(ctx, &keys, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Failed to list the SigningKeys whose caConfigMap is this ConfigMap", "configMap", o.GetName())
		return nil
	}
	var all []reconcile.Request
	for i := range keys.Items {
		if entry := keys.Items[i].Spec.Distribution.CAConfigMap; entry != nil && entry.Name == o.GetName() {
			all = append(all, wiring.Named(keys.Items[i].Name))
		}
	}
	return all
}

func revocationToSigningKey(_ context.Context, o client.Object) []reconcile.Request {
	if r, ok := o.(*keywrightv1alpha1.Revocation); ok {
		return []reconcile.Request{wiring.Named(r.Spec.SigningKey)}
	}
	return nil
}

func secretToSigningKey(_ context.Context, o client.Object) []reconcile.Request {
	name, ok := keystore.SigningKeyOf(o.GetName())
	if !ok || o.GetLabels()[contract.RoleLabel] == "" {
		return nil
	}
	return []reconcile.Request{wiring.Named(name)}
}

// enqueueAll queues every SigningKey shortly after a namespace changed.
func (r *Reconciler) enqueueAll() handler.EventHandler {
	enqueue := wiring.OnAny(func(ctx context.Context) ([]string, error) {
		var keys keywrightv1alpha1.SigningKeyList
		err := r.Client.List(ctx, &keys, client.UnsafeDisableDeepCopy)
		names := make([]string, len(keys.Items))
		for i := range keys.Items {
			names[i] = keys.Items[i].Name
		}
		return names, err
	})
	onDelete := enqueue.DeleteFunc
	enqueue.DeleteFunc = func(ctx context.Context, e event.DeleteEvent, q wiring.Queue) {
		r.Published.NamespaceDeleted(e.Object.GetName())
		onDelete(ctx, e, q)
	}
	return enqueue
}

// finalizersChanged passes updates that change finalizers.
func finalizersChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return !slices.Equal(e.ObjectOld.GetFinalizers(), e.ObjectNew.GetFinalizers())
	}}
}
