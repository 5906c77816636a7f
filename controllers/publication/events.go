package publication

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/controllers/wiring"
)

// Handler records the keys that ConfigMaps get, and queues every SigningKey with a file in a changed ConfigMap.
func (t *Tracker) Handler() handler.EventHandler {
	enqueue := func(q wiring.Queue, objects ...client.Object) {
		for _, o := range objects {
			cm, ok := o.(*corev1.ConfigMap)
			if !ok {
				continue
			}
			for file := range cm.Data {
				if name, ok := strings.CutSuffix(file, contract.JWKSSuffix); ok {
					q.AddAfter(wiring.Named(name), t.pace(name))
				}
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q wiring.Queue) {
			if e.IsInInitialList {
				t.watching()
			} else if created, ok := e.Object.(*corev1.ConfigMap); ok {
				t.Changed(nil, created)
			}
			enqueue(q, e.Object)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q wiring.Queue) {
			before, ok := e.ObjectOld.(*corev1.ConfigMap)
			after, ok2 := e.ObjectNew.(*corev1.ConfigMap)
			if ok && ok2 {
				t.Changed(before, after)
			}
			enqueue(q, e.ObjectOld, e.ObjectNew)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q wiring.Queue) {
			if cm, ok := e.Object.(*corev1.ConfigMap); ok {
				t.Deleted(cm)
			}
			enqueue(q, e.Object)
		},
	}
}
