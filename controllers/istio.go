package controllers

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/keywright/keywright/controllers/istio"
)

// newIstioWatch returns a watch of RequestAuthentications, which the manager starts before any controller. It is nil if none is asked for. It is no
// cache of the manager's: these would end the process where there is no Istio.
func newIstioWatch(mgr ctrl.Manager, asked bool) (*istio.Objects, error) {
	if !asked {
		return nil, nil
	}
	objects, err := istio.NewObjects(mgr.GetConfig())
	if err != nil {
		return nil, err
	}
	return objects, mgr.Add(beforeControllers{istioWatch{mgr.GetCache(), objects}})
}

// istioWatch is what a manager starts and waits for as for a cache. It reads nothing.
type istioWatch struct {
	cache.Cache
	objects *istio.Objects
}

// Start watches until the context ends.
func (w istioWatch) Start(ctx context.Context) error {
	w.objects.Run(ctx)
	return nil
}

// WaitForCacheSync waits until it is known what stands, or why not.
func (w istioWatch) WaitForCacheSync(ctx context.Context) bool { return w.objects.WaitForAnswer(ctx) }
