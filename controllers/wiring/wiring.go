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
	// Object is an object of the watched kind.
	Object client.Object
	// Metadata is set if only the metadata is watched.
	Metadata bool
	// Handler queues the work items.
	Handler handler.EventHandler
	// Predicates drop irrelevant changes.
	Predicates []predicate.Predicate
}

// Controller is a reconciler with its watches and sources.
type Controller interface {
	reconcile.Reconciler
	// Name returns the name of the controller in logs and metrics.
	Name() string
	// Workers returns how many work items are reconciled in parallel.
	Workers() int
	// Watches returns the watched objects.
	Watches() []Watch
	// Sources returns sources of work from other controllers of this process.
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

// options lets a standby replica fill its caches, and limits the back-off, which grows to 1,000 s by default.
func options(workers int) controller.Options {
	warm := true
	return controller.Options{
		MaxConcurrentReconciles: workers,
		EnableWarmup:            &warm,
		RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](
			5*time.Millisecond, 60*time.Second),
	}
}

// Priorities in a queue. The default is 0.
const (
	// Urgently is for a revocation, in every namespace.
	Urgently = 100
	// AtOnce is for one namespace that is new, or whose ConfigMap another client changed. It is one write with the latest
	// keys, so it comes even before the writes of a revocation.
	AtOnce = 200
)

// OfCreation returns the priority of an object that the watch shows for the first time. It is low if the object is in
// the initial list.
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

// Debounce is how long a controller collects changes of many objects before it reconciles.
const Debounce = 250 * time.Millisecond

// Named returns the work item of a name.
func Named(name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}
}

// OnAny queues names shortly after any object was created, changed or deleted.
func OnAny(names func(context.Context) ([]string, error)) handler.Funcs {
	enqueue := func(ctx context.Context, q Queue) {
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
		CreateFunc: func(ctx context.Context, _ event.CreateEvent, q Queue) { enqueue(ctx, q) },
		UpdateFunc: func(ctx context.Context, _ event.UpdateEvent, q Queue) { enqueue(ctx, q) },
		DeleteFunc: func(ctx context.Context, _ event.DeleteEvent, q Queue) { enqueue(ctx, q) },
	}
}
