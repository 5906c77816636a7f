package istio

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/wiring"
)

// Name implements wiring.Controller.
func (r *Reconciler) Name() string { return "istio" }

// Workers implements wiring.Controller.
func (r *Reconciler) Workers() int { return 8 }

// Watches returns watches of SigningKeys, Namespaces and their ConfigMaps.
func (r *Reconciler) Watches() []wiring.Watch {
	changed := predicate.Or(predicate.GenerationChangedPredicate{}, wiring.DeletionChanged())
	return []wiring.Watch{
		{Object: &keywrightv1alpha1.SigningKey{}, Handler: r.onSigningKey(), Predicates: []predicate.Predicate{changed}},
		{Object: &corev1.Namespace{}, Metadata: true, Handler: r.onNamespace(), Predicates: []predicate.Predicate{wiring.SelectionChanged()}},
		{Object: &corev1.ConfigMap{}, Handler: handler.EnqueueRequestsFromMapFunc(namespaceOf)},
	}
}

// Sources returns sources of changes of RequestAuthentications, and of revocations.
func (r *Reconciler) Sources() []source.Source {
	return []source.Source{source.Func(r.onObjects), source.Func(r.onProjections)}
}

func namespaceOf(_ context.Context, o client.Object) []reconcile.Request {
	return []reconcile.Request{wiring.Named(o.GetNamespace())}
}

// onSigningKey queues every namespace if a SigningKey has outputs.istio, or had it before.
func (r *Reconciler) onSigningKey() handler.EventHandler {
	on := func(ctx context.Context, q wiring.Queue, objects ...client.Object) {
		for _, o := range objects {
			if key, ok := o.(*keywrightv1alpha1.SigningKey); ok && outputOf(key) != nil {
				r.enqueueAll(ctx, q)
				return
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q wiring.Queue) { on(ctx, q, e.Object) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q wiring.Queue) { on(ctx, q, e.ObjectOld, e.ObjectNew) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q wiring.Queue) { on(ctx, q, e.Object) },
	}
}

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

// onObjects queues the namespace of a RequestAuthentication that another client wrote or deleted, and every namespace
// when trouble ends.
func (r *Reconciler) onObjects(ctx context.Context, q wiring.Queue) error {
	r.Objects.OnTrouble(func() {
		if r.Objects.Trouble() == "" {
			r.enqueueAll(ctx, q)
		}
	})
	return r.Objects.OnChange(func(c Change) {
		changed := c.After
		if changed == nil {
			changed = c.Before
		}
		stored, _ := r.wrote.Load(changed.Namespace() + "/" + changed.object.GetName())
		priority := wiring.AtOnce
		if c.Initial {
			priority = handler.LowPriority
		}
		if was, _ := stored.(last); c.After == nil || was.version != c.After.object.GetResourceVersion() {
			wiring.Enqueue(q, priority, wiring.Named(changed.Namespace()))
		}
	})
}

// configMapWait is how long a revocation waits for the ConfigMaps. Their changes queue the namespaces, except for
// refused writes.
const configMapWait = 2 * time.Second

// onProjections queues the namespaces with a RequestAuthentication after a revocation, even if writes of their
// ConfigMaps are refused.
func (r *Reconciler) onProjections(_ context.Context, q wiring.Queue) error {
	r.Projections.OnChange(func(urgent bool) {
		if !urgent {
			return
		}
		for _, namespace := range r.Objects.Namespaces() {
			q.AddAfter(wiring.Named(namespace), configMapWait)
		}
	})
	return nil
}

func (r *Reconciler) enqueueAll(ctx context.Context, q wiring.Queue) {
	var namespaces metav1.PartialObjectMetadataList
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := r.Client.List(ctx, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Failed to list the namespaces to write RequestAuthentications to")
		return
	}
	for i := range namespaces.Items {
		wiring.Enqueue(q, 0, wiring.Named(namespaces.Items[i].Name))
	}
}
