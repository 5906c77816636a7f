package controllers

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/keywright/keywright/controllers/istio"
)

// newIstioWatch returns a watch of RequestAuthentications, which the manager starts before any controller. It is nil if
// it is not enabled. The cache of the manager is not used, since it would end the process if Istio is not installed.
func newIstioWatch(mgr ctrl.Manager, enabled bool) (*istio.Objects, error) {
	if !enabled {
		return nil, nil
	}
	objects, err := istio.NewObjects(mgr.GetConfig())
	if err != nil {
		return nil, err
	}
	return objects, mgr.Add(beforeControllers{istioWatch{mgr.GetCache(), objects}})
}

// istioWatch makes a manager start the watch and wait for it, as for a cache.
type istioWatch struct {
	cache.Cache
	objects *istio.Objects
}

// Start watches until the context ends.
func (w istioWatch) Start(ctx context.Context) error {
	w.objects.Run(ctx)
	return nil
}

// WaitForCacheSync waits until the existing RequestAuthentications are known, or why they are not.
func (w istioWatch) WaitForCacheSync(ctx context.Context) bool { return w.objects.WaitForAnswer(ctx) }
