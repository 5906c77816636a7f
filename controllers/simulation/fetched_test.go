package simulation

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fetchedCache is the cache of the fetcher's ConfigMap in a process.
type fetchedCache struct {
	cache.Cache // nil, since other methods are not used
	p           *process
	handlers    []toolscache.ResourceEventHandler
}

func (c *fetchedCache) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	r := refFor(into, key)
	o, ok := c.p.views[kindFetched].objects[r]
	if !ok {
		return apierrors.NewNotFound(r.resource(), r.name)
	}
	copyInto(o, into)
	return nil
}

func (c *fetchedCache) GetInformer(context.Context, client.Object, ...cache.InformerGetOption) (cache.Informer, error) {
	return &fetchedInformer{c: c}, nil
}

func (c *fetchedCache) WaitForCacheSync(context.Context) bool { return true }

func (c *fetchedCache) dispatch(was, is client.Object, initial bool) {
	for _, h := range c.handlers {
		switch {
		case was == nil:
			h.OnAdd(is, initial)
		case is == nil:
			h.OnDelete(was)
		default:
			h.OnUpdate(was, is)
		}
	}
}

type fetchedInformer struct {
	cache.Informer
	c *fetchedCache
}

func (i *fetchedInformer) AddEventHandlerWithOptions(h toolscache.ResourceEventHandler, _ toolscache.HandlerOptions) (toolscache.ResourceEventHandlerRegistration, error) {
	i.c.handlers = append(i.c.handlers, h)
	return registered{}, nil
}

type registered struct {
	toolscache.ResourceEventHandlerRegistration
}

func (registered) HasSynced() bool { return true }
