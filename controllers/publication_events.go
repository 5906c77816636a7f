package controllers

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/keywright/keywright/api/contract"
)

// debounce is how long the signingkey controller lets changes of targets gather before it looks at them.
const debounce = 250 * time.Millisecond

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// handler notes what ConfigMaps come to hold, and wakes the SigningKeys whose files changed.
func (t *PublicationTracker) handler() handler.EventHandler {
	wake := func(q queue, objects ...client.Object) {
		for _, o := range objects {
			cm, ok := o.(*corev1.ConfigMap)
			if !ok {
				continue
			}
			for file := range cm.Data {
				if name, ok := strings.CutSuffix(file, contract.JWKSSuffix); ok {
					q.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}, debounce)
				}
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			if e.IsInInitialList {
				t.watching()
			} else if created, ok := e.Object.(*corev1.ConfigMap); ok {
				t.changed(nil, created)
			}
			wake(q, e.Object)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			before, ok := e.ObjectOld.(*corev1.ConfigMap)
			after, ok2 := e.ObjectNew.(*corev1.ConfigMap)
			if ok && ok2 {
				t.changed(before, after)
			}
			wake(q, e.ObjectOld, e.ObjectNew)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
			if cm, ok := e.Object.(*corev1.ConfigMap); ok {
				t.deleted(cm)
			}
			wake(q, e.Object)
		},
	}
}
