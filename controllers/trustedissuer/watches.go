package trustedissuer

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/wiring"
)

// Name implements wiring.Controller.
func (r *Reconciler) Name() string { return "trustedissuer" }

// Workers implements wiring.Controller.
func (r *Reconciler) Workers() int { return 2 }

// Watches returns watches of TrustedIssuers, of SigningKeys, whose names and keys they may not have, and of Namespaces
// and their ConfigMaps.
func (r *Reconciler) Watches() []wiring.Watch {
	return []wiring.Watch{
		{Object: &keywrightv1alpha1.TrustedIssuer{}, Handler: &handler.EnqueueRequestForObject{}, Predicates: []predicate.Predicate{predicate.GenerationChangedPredicate{}}},
		{Object: &keywrightv1alpha1.SigningKey{}, Handler: r.enqueueAll()},
		{Object: &corev1.Namespace{}, Metadata: true, Handler: r.enqueueAll(), Predicates: []predicate.Predicate{wiring.SelectionChanged()}},
		{Object: &corev1.ConfigMap{}, Handler: r.onConfigMap()},
	}
}

// Sources returns a source of changes of the fetcher's ConfigMap.
func (r *Reconciler) Sources() []source.Source {
	return []source.Source{source.Kind[client.Object](r.Fetched, &corev1.ConfigMap{}, r.enqueueAll())}
}

// onConfigMap queues the TrustedIssuers whose files changed, and no others: one rotation changes the ConfigMaps of many
// namespaces.
func (r *Reconciler) onConfigMap() handler.EventHandler {
	enqueue := func(ctx context.Context, q wiring.Queue, before, after client.Object) {
		was, _ := before.(*corev1.ConfigMap)
		is, _ := after.(*corev1.ConfigMap)
		for file := range is.Data {
			name, ok := strings.CutSuffix(file, contract.JWKSSuffix)
			changed := was == nil || was.Data[file] != is.Data[file] || was.Data[contract.GatewayFile] != is.Data[contract.GatewayFile]
			if ok && changed && r.exists(ctx, name) {
				q.AddAfter(wiring.Named(name), wiring.Debounce)
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q wiring.Queue) { enqueue(ctx, q, nil, e.Object) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q wiring.Queue) {
			enqueue(ctx, q, e.ObjectOld, e.ObjectNew)
			enqueue(ctx, q, e.ObjectNew, e.ObjectOld) // for removed files
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q wiring.Queue) { enqueue(ctx, q, nil, e.Object) },
	}
}

// exists reports whether the cache has a TrustedIssuer of a name.
func (r *Reconciler) exists(ctx context.Context, name string) bool {
	return r.Client.Get(ctx, client.ObjectKey{Name: name}, &keywrightv1alpha1.TrustedIssuer{}) == nil
}

// enqueueAll queues every TrustedIssuer shortly after any object changed.
func (r *Reconciler) enqueueAll() handler.EventHandler {
	return wiring.OnAny(func(ctx context.Context) ([]string, error) {
		var all keywrightv1alpha1.TrustedIssuerList
		err := r.Client.List(ctx, &all, client.UnsafeDisableDeepCopy)
		names := make([]string, len(all.Items))
		for i := range all.Items {
			names[i] = all.Items[i].Name
		}
		return names, err
	})
}
