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

// Objects are the RequestAuthentications that Keywright has, as a watch shows them, which goes on trying while there is no Istio, or no right
// to look. A nil one is that of a controller that was not told to write any.
type Objects struct {
	client   dynamic.NamespaceableResourceInterface
	informer toolscache.SharedIndexInformer
	// answered is closed when the API server has answered for the first time.
	answered chan struct{}

	mu sync.Mutex
	// trouble is why the last look failed, nil if it did not.
	trouble error
	// refused is why a RequestAuthentication could not be written or deleted.
	refused map[types.NamespacedName]string
	// changed are called without the lock when trouble or refused are other ones.
	changed []func()
	// keySets lets those of all namespaces, which are nearly always the same, be one text.
	keySets wiring.Shared[string]
}

const bySigningKey = "signingKey"

// NewObjects returns Objects that know nothing until they run.
func NewObjects(config *rest.Config) (*Objects, error) {
	c, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("create the client of RequestAuthentications: %w", err)
	}
	o := &Objects{client: c.Resource(Resource()), answered: make(chan struct{}), refused: map[types.NamespacedName]string{}}
	o.informer = toolscache.NewSharedIndexInformer(o.listWatch(), &unstructured.Unstructured{}, 0, toolscache.Indexers{
		toolscache.NamespaceIndex: toolscache.MetaNamespaceIndexFunc,
		bySigningKey: func(in any) ([]string, error) {
			if r := asOurs(in); r != nil {
				return []string{r.SigningKey()}, nil
			}
			return nil, nil
		},
	})
	if err := o.informer.SetTransform(o.slim); err != nil {
		return nil, err
	}
	return o, o.informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *toolscache.Reflector, err error) {
		log.FromContext(ctx).V(1).Info("The watch of RequestAuthentications ended", "reason", err.Error())
	})
}

// listWatch lists and watches, and notes how that ends.
func (o *Objects) listWatch() *toolscache.ListWatch {
	ours := contract.ManagedByLabel + "=" + contract.ManagedBy
	return wiring.Reconnecting(&toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.LabelSelector = ours
			list, err := o.client.List(ctx, options)
			o.note(ctx, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.LabelSelector = ours
			w, err := o.client.Watch(ctx, options)
			o.note(ctx, err)
			return w, err
		},
	})
}

// slim drops what is not asked for of a RequestAuthentication, and shares its key set.
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
			o.tell()
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
	return asOurs(in)
}

// Of returns those of one SigningKey by namespace.
func (o *Objects) Of(signingKey string) map[string]*RequestAuthentication {
	return byNamespace(o.indexed(bySigningKey, signingKey))
}

// In returns those of one namespace.
func (o *Objects) In(namespace string) []*RequestAuthentication {
	return o.indexed(toolscache.NamespaceIndex, namespace)
}

// Namespaces are those that have any.
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
		if r := asOurs(in); r != nil {
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

// asOurs returns what a watch shows if its name is reserved, nil otherwise.
func asOurs(in any) *RequestAuthentication {
	if gone, ok := in.(toolscache.DeletedFinalStateUnknown); ok {
		in = gone.Obj
	}
	u, ok := in.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	if _, ours := signingKeyOf(u.GetName()); !ours {
		return nil
	}
	return &RequestAuthentication{u}
}

// Change is one that the watch shows: Before is nil for what is new, After for what is gone.
type Change struct {
	Before, After *RequestAuthentication
	// Initial is set for what stood before this process began.
	Initial bool
}

// OnChange sets what else is called for each change.
func (o *Objects) OnChange(f func(Change)) error {
	_, err := o.informer.AddEventHandler(toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(in any, initial bool) {
			if r := asOurs(in); r != nil {
				f(Change{After: r, Initial: initial})
			}
		},
		UpdateFunc: func(before, after any) {
			if b, a := asOurs(before), asOurs(after); b != nil && a != nil {
				f(Change{Before: b, After: a})
			}
		},
		DeleteFunc: func(in any) {
			if r := asOurs(in); r != nil {
				f(Change{Before: r})
			}
		},
	})
	return err
}
