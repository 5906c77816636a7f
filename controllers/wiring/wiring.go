package wiring

import (
	"context"
	"time"

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
)

// Queue holds the work items of a controller.
type Queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Watch is one kind of object whose changes queue work items.
type Watch struct {
	// Object is of the kind that is watched.
	Object client.Object
	// Metadata is set where only the metadata is watched.
	Metadata bool
	// Handler queues the work items.
	Handler handler.EventHandler
	// Predicates drop the changes that ask for nothing.
	Predicates []predicate.Predicate
}

// Controller is a reconciler with all that brings work to it.
type Controller interface {
	reconcile.Reconciler
	// Name is the name of the controller in logs and metrics.
	Name() string
	// Workers is how many work items are reconciled at once.
	Workers() int
	// Watches are the objects that are watched.
	Watches() []Watch
	// Sources bring what other controllers of this process ask for.
	Sources() []source.Source
}

// Add adds a controller to a manager.
func Add(mgr ctrl.Manager, c Controller) error {
	b := ctrl.NewControllerManagedBy(mgr).Named(c.Name()).WithOptions(options(c.Workers()))
	for _, w := range c.Watches() {
		with := []builder.WatchesOption{builder.WithPredicates(w.Predicates...)}
		if w.Metadata {
			with = append(with, builder.OnlyMetadata)
		}
		b = b.Watches(w.Object, w.Handler, with...)
	}
	for _, s := range c.Sources() {
		b = b.WatchesRawSource(s)
	}
	return b.Complete(c)
}

// options lets a standby replica fill its caches, and caps the back-off: the default one grows to 1,000 s.
func options(workers int) controller.Options {
	warm := true
	return controller.Options{
		MaxConcurrentReconciles: workers,
		EnableWarmup:            &warm,
		RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](
			5*time.Millisecond, 60*time.Second),
	}
}

// Priorities in a queue. What is not named has priority 0.
const (
	// Urgently is for a revocation, in every namespace.
	Urgently = 100
	// AtOnce is for one namespace: its file is not as this controller left it, or it is new. That is one write, and it brings
	// the latest keys along, so it goes before all others even while a revocation is being written.
	AtOnce = 200
)

// OfCreation is the priority of what the watch shows for the first time: low for what stood before this process began.
func OfCreation(e event.CreateEvent) int {
	if e.IsInInitialList {
		return handler.LowPriority
	}
	return AtOnce
}

// Enqueue queues with a priority.
func Enqueue(q Queue, priority int, requests ...reconcile.Request) {
	if prioritized, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		prioritized.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, requests...)
		return
	}
	for _, request := range requests {
		q.Add(request)
	}
}

// Debounce is how long a controller lets changes of many objects gather before it looks at them.
const Debounce = 250 * time.Millisecond

// Named is the work item of a name.
func Named(name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}
}

// OnAny queues names a moment after any object was created, changed or deleted.
func OnAny(names func(context.Context) ([]string, error)) handler.Funcs {
	wake := func(ctx context.Context, q Queue) {
		all, err := names(ctx)
		if err != nil {
			log.FromContext(ctx).Error(err, "Failed to list the objects that a change affects")
			return
		}
		for _, name := range all {
			q.AddAfter(Named(name), Debounce)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, _ event.CreateEvent, q Queue) { wake(ctx, q) },
		UpdateFunc: func(ctx context.Context, _ event.UpdateEvent, q Queue) { wake(ctx, q) },
		DeleteFunc: func(ctx context.Context, _ event.DeleteEvent, q Queue) { wake(ctx, q) },
	}
}
