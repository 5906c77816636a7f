package istio

import (
	"context"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/wiring"
)

// Objects is a cache of the RequestAuthentications of Keywright. Its watch is retried while Istio is not installed or
// the controller has no permission. Objects is nil if the controller runs without --istio.
type Objects struct {
	client   dynamic.NamespaceableResourceInterface
	informer toolscache.SharedIndexInformer
	// answered is closed after the first response of the API server.
	answered chan struct{}

	mu sync.Mutex
	// trouble is the error of the last list or watch, nil if it succeeded.
	trouble error
	// refused has the errors of writes and deletions, by namespace and SigningKey.
	refused map[types.NamespacedName]string
	// changed are called without the lock if trouble or refused change.
	changed []func()
	// keySets shares the key sets of all namespaces, which are nearly always the same.
	keySets wiring.Shared[string]
}

const bySigningKey = "signingKey"

// NewObjects returns Objects, which are empty until they run.
func NewObjects(config *rest.Config) (*Objects, error) {
	c, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("create the client of RequestAuthentications: %w", err)
	}
	o := &Objects{client: c.Resource(Resource()), answered: make(chan struct{}), refused: map[types.NamespacedName]string{}}
	o.informer = toolscache.NewSharedIndexInformer(o.listWatch(), &unstructured.Unstructured{}, 0, toolscache.Indexers{
		toolscache.NamespaceIndex: toolscache.MetaNamespaceIndexFunc,
		bySigningKey: func(in any) ([]string, error) {
			if r := ours(in); r != nil {
				return []string{r.SigningKey()}, nil
			}
			return nil, nil
		},
	})
	if err := o.informer.SetTransform(o.slim); err != nil {
		return nil, err
	}
	return o, o.informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *toolscache.Reflector, err error) {
		log.FromContext(ctx).V(1).Info("The watch of RequestAuthentications ended: restarting it", "reason", err.Error())
	})
}

// listWatch lists and watches, and records the errors.
func (o *Objects) listWatch() *toolscache.ListWatch {
	selector := contract.ManagedByLabel + "=" + contract.ManagedBy
	return wiring.Reconnecting(&toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.LabelSelector = selector
			list, err := o.client.List(ctx, options)
			o.note(ctx, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.LabelSelector = selector
			w, err := o.client.Watch(ctx, options)
			o.note(ctx, err)
			return w, err
		},
	})
}

// slim removes the managed fields of a RequestAuthentication, and shares its key set.
func (o *Objects) slim(in any) (any, error) {
	u, ok := in.(*unstructured.Unstructured)
	if !ok {
		return in, nil
	}
	u.SetManagedFields(nil)
	rule := (&RequestAuthentication{u}).rule()
	if text, ok := rule[fieldKeySet].(string); ok {
		rule[fieldKeySet] = o.keySets.One(text, text)
	}
	return u, nil
}

// Run watches until the context ends.
func (o *Objects) Run(ctx context.Context) {
	go func() {
		select {
		case <-o.informer.HasSyncedChecker().Done():
			o.notify()
		case <-ctx.Done():
		}
	}()
	o.informer.RunWithContext(ctx)
}

// Get returns a RequestAuthentication, nil if there is none.
func (o *Objects) Get(namespace, name string) *RequestAuthentication {
	if o == nil || o.Trouble() == keywrightv1alpha1.ReasonIstioNotInstalled {
		return nil
	}
	in, _, _ := o.informer.GetStore().GetByKey(namespace + "/" + name)
	return ours(in)
}

// Of returns the RequestAuthentications of a SigningKey, by namespace.
func (o *Objects) Of(signingKey string) map[string]*RequestAuthentication {
	return byNamespace(o.indexed(bySigningKey, signingKey))
}

// In returns the RequestAuthentications of a namespace.
func (o *Objects) In(namespace string) []*RequestAuthentication {
	return o.indexed(toolscache.NamespaceIndex, namespace)
}

// Namespaces returns the namespaces that have RequestAuthentications.
func (o *Objects) Namespaces() []string {
	return o.informer.GetIndexer().ListIndexFuncValues(toolscache.NamespaceIndex)
}

func (o *Objects) indexed(index, value string) []*RequestAuthentication {
	if o == nil || o.Trouble() == keywrightv1alpha1.ReasonIstioNotInstalled {
		return nil
	}
	found, _ := o.informer.GetIndexer().ByIndex(index, value)
	all := make([]*RequestAuthentication, 0, len(found))
	for _, in := range found {
		if r := ours(in); r != nil {
			all = append(all, r)
		}
	}
	return all
}

func byNamespace(all []*RequestAuthentication) map[string]*RequestAuthentication {
	by := make(map[string]*RequestAuthentication, len(all))
	for _, r := range all {
		by[r.Namespace()] = r
	}
	return by
}

// ours returns an object of the watch if it has a reserved name, nil otherwise.
func ours(in any) *RequestAuthentication {
	if gone, ok := in.(toolscache.DeletedFinalStateUnknown); ok {
		in = gone.Obj
	}
	u, ok := in.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	if _, reserved := signingKeyOf(u.GetName()); !reserved {
		return nil
	}
	return &RequestAuthentication{u}
}

// Change is a change of a RequestAuthentication. Before is nil if it was created, After if it was deleted.
type Change struct {
	Before, After *RequestAuthentication
	// Initial is set for objects that existed before the watch began.
	Initial bool
}

// OnChange adds a function that is called for each change.
func (o *Objects) OnChange(f func(Change)) error {
	_, err := o.informer.AddEventHandler(toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(in any, initial bool) {
			if r := ours(in); r != nil {
				f(Change{After: r, Initial: initial})
			}
		},
		UpdateFunc: func(before, after any) {
			if b, a := ours(before), ours(after); b != nil && a != nil {
				f(Change{Before: b, After: a})
			}
		},
		DeleteFunc: func(in any) {
			if r := ours(in); r != nil {
				f(Change{Before: r})
			}
		},
	})
	return err
}
