package distribution

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/keywright/keywright/controllers/wiring"
)

// Name implements wiring.Controller.
func (r *Reconciler) Name() string { return "distribution" }

// Workers implements wiring.Controller.
func (r *Reconciler) Workers() int { return 32 }

// Watches returns watches of Namespaces and their ConfigMaps.
func (r *Reconciler) Watches() []wiring.Watch {
	return []wiring.Watch{
		{Object: &corev1.Namespace{}, Metadata: true, Handler: r.onNamespace(), Predicates: []predicate.Predicate{wiring.SelectionChanged()}},
		{Object: &corev1.ConfigMap{}, Handler: r.onConfigMap()},
	}
}

// Sources returns a source of changed projections.
func (r *Reconciler) Sources() []source.Source {
	return []source.Source{source.Func(r.onProjections)}
}

// onProjections queues every namespace if a projection changes, with a higher priority for revocations.
func (r *Reconciler) onProjections(ctx context.Context, q wiring.Queue) error {
	r.Projections.OnChange(func(urgent bool) {
		requests, err := r.everyNamespace(ctx)
		if err != nil {
			log.FromContext(ctx).Error(err, "Failed to list the namespaces to distribute to")
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
func (r *Reconciler) onNamespace() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q wiring.Queue) {
			wiring.Enqueue(q, wiring.OfCreation(e), wiring.Named(e.Object.GetName()))
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q wiring.Queue) {
			wiring.Enqueue(q, 0, wiring.Named(e.ObjectNew.GetName()))
		},
	}
}

// onConfigMap queues the namespace of a ConfigMap that another client wrote or deleted. It ignores the writes of this
// process.
func (r *Reconciler) onConfigMap() handler.EventHandler {
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

func (r *Reconciler) everyNamespace(ctx context.Context) ([]reconcile.Request, error) {
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
