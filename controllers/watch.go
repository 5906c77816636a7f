package controllers

import (
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
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

// Priorities in the queue of the distribution. What is not named has priority 0.
const (
	// urgently is for a revocation, in every namespace.
	urgently = 100
	// atOnce is for one namespace: its file is not as this controller left it, or it is new. That is one write, and it brings
	// the latest keys along, so it goes before all others even while a revocation is being written.
	atOnce = 200
)

// controllerOptions lets a standby replica fill its caches, and caps the back-off: the default one grows to 1,000 s.
func controllerOptions(workers int) controller.Options {
	warm := true
	return controller.Options{
		MaxConcurrentReconciles: workers,
		EnableWarmup:            &warm,
		RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](
			5*time.Millisecond, 60*time.Second),
	}
}

// SetupWithManager watches SigningKeys, their Secrets, the namespaces they may select and the ConfigMaps there.
func (r *SigningKeyReconciler) SetupWithManager(mgr ctrl.Manager) error {
	asked := predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, deletionChanged(), finalizersChanged())
	return ctrl.NewControllerManagedBy(mgr).Named("signingkey").
		For(&keywrightv1alpha1.SigningKey{}, builder.WithPredicates(asked)).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(secretToSigningKey)).
		WatchesMetadata(&corev1.Namespace{}, r.wakeAll(), builder.WithPredicates(selectionChanged())).
		Watches(&corev1.ConfigMap{}, r.Published.handler()).
		WatchesRawSource(r.Nudges.source(func(f func(string)) { r.Nudges.progressed = f })).
		WithOptions(controllerOptions(4)).
		Complete(r)
}

// SetupWithManager watches Namespaces, their ConfigMaps, and what the signingkey controller decides.
func (r *DistributionReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.truth = &truth{api: r.API, keyNamespace: r.KeyNamespace, now: r.Now, projections: r.Projections}
	return ctrl.NewControllerManagedBy(mgr).Named("distribution").
		WatchesMetadata(&corev1.Namespace{}, r.onNamespace(), builder.WithPredicates(selectionChanged())).
		Watches(&corev1.ConfigMap{}, r.onConfigMap()).
		WatchesRawSource(source.Func(r.onProjections)).
		WithOptions(controllerOptions(32)).
		Complete(r)
}

// SetupWithManager waits for what the signingkey controller asks for.
func (r *NudgeReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).Named("nudge").
		WatchesRawSource(r.Nudges.source(func(f func(string)) { r.Nudges.asked = f })).
		WithOptions(controllerOptions(2)).
		Complete(r)
}

// source queues the names that one of the two callbacks is given, and those that came before it was set.
func (n *Nudges) source(set func(func(name string))) source.Source {
	return source.Func(func(_ context.Context, q queue) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		set(func(name string) { q.Add(named(name)) })
		for name := range n.byName {
			q.Add(named(name))
		}
		return nil
	})
}

// onProjections queues every namespace when a projection changes, revocations before anything else.
func (r *DistributionReconciler) onProjections(ctx context.Context, q queue) error {
	r.Projections.onChange(func(urgent bool) {
		requests, err := r.everyNamespace(ctx)
		if err != nil {
			log.FromContext(ctx).Error(err, "List the namespaces to distribute to")
			return
		}
		priority := 0
		if urgent {
			priority = urgently
		}
		add(q, priority, requests...)
	})
	return nil
}

// add queues with a priority.
func add(q queue, priority int, requests ...reconcile.Request) {
	if prioritized, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		prioritized.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, requests...)
		return
	}
	for _, request := range requests {
		q.Add(request)
	}
}

// onNamespace queues a namespace that is new, or whose labels changed.
func (r *DistributionReconciler) onNamespace() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			add(q, ofCreation(e), named(e.Object.GetName()))
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) { add(q, 0, named(e.ObjectNew.GetName())) },
	}
}

// onConfigMap queues the namespace of a ConfigMap that somebody else wrote or deleted. What this process wrote comes back too,
// and asks for nothing.
func (r *DistributionReconciler) onConfigMap() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			add(q, ofCreation(e), named(e.Object.GetNamespace()))
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			if wrote, _ := r.written.Load(e.ObjectNew.GetNamespace()); wrote != e.ObjectNew.GetResourceVersion() {
				add(q, atOnce, named(e.ObjectNew.GetNamespace()))
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
			r.written.Delete(e.Object.GetNamespace())
			add(q, atOnce, named(e.Object.GetNamespace()))
		},
	}
}

// ofCreation is the priority of what the watch shows for the first time: low for what stood before this process began.
func ofCreation(e event.CreateEvent) int {
	if e.IsInInitialList {
		return handler.LowPriority
	}
	return atOnce
}

func (r *DistributionReconciler) everyNamespace(ctx context.Context) ([]reconcile.Request, error) {
	var namespaces metav1.PartialObjectMetadataList
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := r.Client.List(ctx, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	requests := make([]reconcile.Request, len(namespaces.Items))
	for i := range namespaces.Items {
		requests[i] = named(namespaces.Items[i].Name)
	}
	return requests, nil
}

func named(name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}
}

func secretToSigningKey(_ context.Context, o client.Object) []reconcile.Request {
	name, ok := signingKeyOf(o.GetName())
	if !ok || o.GetLabels()[contract.RoleLabel] == "" {
		return nil
	}
	return []reconcile.Request{named(name)}
}

// wakeAll lets every SigningKey look at its targets again, a moment after namespaces changed.
func (r *SigningKeyReconciler) wakeAll() handler.EventHandler {
	wake := func(ctx context.Context, q queue) {
		var keys keywrightv1alpha1.SigningKeyList
		if err := r.Client.List(ctx, &keys, client.UnsafeDisableDeepCopy); err != nil {
			log.FromContext(ctx).Error(err, "List the SigningKeys that may select a namespace")
			return
		}
		for i := range keys.Items {
			q.AddAfter(named(keys.Items[i].Name), debounce)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, _ event.CreateEvent, q queue) { wake(ctx, q) },
		UpdateFunc: func(ctx context.Context, _ event.UpdateEvent, q queue) { wake(ctx, q) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) {
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
