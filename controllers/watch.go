package controllers

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/wiring"
)

// +kubebuilder:rbac:groups=keywright.dev,resources=signingkeys,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=keywright.dev,resources=signingkeys/status,verbs=update
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=configmaps,resourceNames=keywright-jwks,verbs=get;list;watch;create;patch;update;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;update;delete,namespace=keywright-system
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch,namespace=keywright-system
// +kubebuilder:rbac:groups="",resources=pods,verbs=list;patch,namespace=keywright-system
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=create,namespace=keywright-system
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,resourceNames=keywright-controller,verbs=get;update,namespace=keywright-system

// Name implements wiring.Controller.
func (r *SigningKeyReconciler) Name() string { return "signingkey" }

// Workers implements wiring.Controller.
func (r *SigningKeyReconciler) Workers() int { return 4 }

// Watches are SigningKeys, their Secrets, the namespaces they may select and the ConfigMaps there.
func (r *SigningKeyReconciler) Watches() []wiring.Watch {
	asked := predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, deletionChanged(), finalizersChanged())
	return []wiring.Watch{
		{Object: &keywrightv1alpha1.SigningKey{}, Handler: &handler.EnqueueRequestForObject{}, Predicates: []predicate.Predicate{asked}},
		{Object: &corev1.Secret{}, Metadata: true, Handler: handler.EnqueueRequestsFromMapFunc(secretToSigningKey)},
		{Object: &corev1.Namespace{}, Metadata: true, Handler: r.wakeAll(), Predicates: []predicate.Predicate{selectionChanged()}},
		{Object: &corev1.ConfigMap{}, Handler: r.Published.handler()},
	}
}

// Sources tell how far the nudging of pods is.
func (r *SigningKeyReconciler) Sources() []source.Source {
	return []source.Source{r.Nudges.source(func(f func(string)) { r.Nudges.progressed = f })}
}

// Name implements wiring.Controller.
func (r *DistributionReconciler) Name() string { return "distribution" }

// Workers implements wiring.Controller.
func (r *DistributionReconciler) Workers() int { return 32 }

// Watches are Namespaces and their ConfigMaps.
func (r *DistributionReconciler) Watches() []wiring.Watch {
	return []wiring.Watch{
		{Object: &corev1.Namespace{}, Metadata: true, Handler: r.onNamespace(), Predicates: []predicate.Predicate{selectionChanged()}},
		{Object: &corev1.ConfigMap{}, Handler: r.onConfigMap()},
	}
}

// Sources bring what the signingkey controller decides.
func (r *DistributionReconciler) Sources() []source.Source {
	return []source.Source{source.Func(r.onProjections)}
}

// Name implements wiring.Controller.
func (r *NudgeReconciler) Name() string { return "nudge" }

// Workers implements wiring.Controller.
func (r *NudgeReconciler) Workers() int { return 2 }

// Watches implements wiring.Controller: nothing is watched.
func (r *NudgeReconciler) Watches() []wiring.Watch { return nil }

// Sources bring what the signingkey controller asks for.
func (r *NudgeReconciler) Sources() []source.Source {
	return []source.Source{r.Nudges.source(func(f func(string)) { r.Nudges.asked = f })}
}

// source queues the names that one of the two callbacks is given, and those that came before it was set.
func (n *Nudges) source(set func(func(name string))) source.Source {
	return source.Func(func(_ context.Context, q wiring.Queue) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		set(func(name string) { q.Add(wiring.Named(name)) })
		for name := range n.byName {
			q.Add(wiring.Named(name))
		}
		return nil
	})
}

// onProjections queues every namespace when a projection changes, revocations before anything else.
func (r *DistributionReconciler) onProjections(ctx context.Context, q wiring.Queue) error {
	r.Projections.onChange(func(urgent bool) {
		requests, err := r.everyNamespace(ctx)
		if err != nil {
			log.FromContext(ctx).Error(err, "List the namespaces to distribute to")
			return
		}
		priority := 0
		if urgent {
			priority = wiring.Urgently
		}
		wiring.Enqueue(q, priority, requests...)
	})
	return nil
}

// onNamespace queues a namespace that is new, or whose labels changed.
func (r *DistributionReconciler) onNamespace() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q wiring.Queue) {
			wiring.Enqueue(q, wiring.OfCreation(e), wiring.Named(e.Object.GetName()))
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q wiring.Queue) {
			wiring.Enqueue(q, 0, wiring.Named(e.ObjectNew.GetName()))
		},
	}
}

// onConfigMap queues the namespace of a ConfigMap that somebody else wrote or deleted. What this process wrote comes back too,
// and asks for nothing.
func (r *DistributionReconciler) onConfigMap() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q wiring.Queue) {
			wiring.Enqueue(q, wiring.OfCreation(e), wiring.Named(e.Object.GetNamespace()))
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q wiring.Queue) {
			if wrote, _ := r.written.Load(e.ObjectNew.GetNamespace()); wrote != e.ObjectNew.GetResourceVersion() {
				wiring.Enqueue(q, wiring.AtOnce, wiring.Named(e.ObjectNew.GetNamespace()))
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q wiring.Queue) {
			r.written.Delete(e.Object.GetNamespace())
			wiring.Enqueue(q, wiring.AtOnce, wiring.Named(e.Object.GetNamespace()))
		},
	}
}

func (r *DistributionReconciler) everyNamespace(ctx context.Context) ([]reconcile.Request, error) {
	var namespaces metav1.PartialObjectMetadataList
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := r.Client.List(ctx, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	requests := make([]reconcile.Request, len(namespaces.Items))
	for i := range namespaces.Items {
		requests[i] = wiring.Named(namespaces.Items[i].Name)
	}
	return requests, nil
}

func secretToSigningKey(_ context.Context, o client.Object) []reconcile.Request {
	name, ok := signingKeyOf(o.GetName())
	if !ok || o.GetLabels()[contract.RoleLabel] == "" {
		return nil
	}
	return []reconcile.Request{wiring.Named(name)}
}

// wakeAll lets every SigningKey look at its targets again, a moment after namespaces changed.
func (r *SigningKeyReconciler) wakeAll() handler.EventHandler {
	wake := func(ctx context.Context, q wiring.Queue) {
		var keys keywrightv1alpha1.SigningKeyList
		if err := r.Client.List(ctx, &keys, client.UnsafeDisableDeepCopy); err != nil {
			log.FromContext(ctx).Error(err, "List the SigningKeys that may select a namespace")
			return
		}
		for i := range keys.Items {
			q.AddAfter(wiring.Named(keys.Items[i].Name), wiring.Debounce)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, _ event.CreateEvent, q wiring.Queue) { wake(ctx, q) },
		UpdateFunc: func(ctx context.Context, _ event.UpdateEvent, q wiring.Queue) { wake(ctx, q) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q wiring.Queue) {
			r.Published.namespaceGone(e.Object.GetName())
			wake(ctx, q)
		},
	}
}

// selectionChanged passes what can make a namespace a target or end that.
func selectionChanged() predicate.Predicate {
	return predicate.Or(deletionChanged(), predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool { return !maps.Equal(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels()) },
	})
}

// finalizersChanged passes what can take the finalizer away.
func finalizersChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return !slices.Equal(e.ObjectOld.GetFinalizers(), e.ObjectNew.GetFinalizers())
	}}
}

func deletionChanged() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			return (e.ObjectOld.GetDeletionTimestamp() == nil) != (e.ObjectNew.GetDeletionTimestamp() == nil)
		},
	}
}
