package trustedissuer

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/wiring"
)

// Name implements wiring.Controller.
func (r *Reconciler) Name() string { return "trustedissuer" }

// Workers implements wiring.Controller.
func (r *Reconciler) Workers() int { return 2 }

// Watches are TrustedIssuers, the SigningKeys whose names and keys they may not have, the namespaces that they may select, and the ConfigMaps
// there.
func (r *Reconciler) Watches() []wiring.Watch {
	return []wiring.Watch{
		{Object: &keywrightv1alpha1.TrustedIssuer{}, Handler: &handler.EnqueueRequestForObject{}, Predicates: []predicate.Predicate{predicate.GenerationChangedPredicate{}}},
		{Object: &keywrightv1alpha1.SigningKey{}, Handler: r.wakeAll()},
		{Object: &corev1.Namespace{}, Metadata: true, Handler: r.wakeAll(), Predicates: []predicate.Predicate{wiring.SelectionChanged()}},
		{Object: &corev1.ConfigMap{}, Handler: r.wakeAll()},
	}
}

// Sources bring what the fetcher hands over.
func (r *Reconciler) Sources() []source.Source {
	return []source.Source{source.Kind[client.Object](r.Fetched, &corev1.ConfigMap{}, r.wakeAll())}
}

// wakeAll lets every TrustedIssuer be looked at again, a moment after anything changed.
func (r *Reconciler) wakeAll() handler.EventHandler {
	wake := func(ctx context.Context, q wiring.Queue) {
		var all keywrightv1alpha1.TrustedIssuerList
		if err := r.Client.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
			log.FromContext(ctx).Error(err, "List the TrustedIssuers to look at again")
			return
		}
		for i := range all.Items {
			q.AddAfter(wiring.Named(all.Items[i].Name), wiring.Debounce)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, _ event.CreateEvent, q wiring.Queue) { wake(ctx, q) },
		UpdateFunc: func(ctx context.Context, _ event.UpdateEvent, q wiring.Queue) { wake(ctx, q) },
		DeleteFunc: func(ctx context.Context, _ event.DeleteEvent, q wiring.Queue) { wake(ctx, q) },
	}
}
