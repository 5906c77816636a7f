package istio

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	shared := &sharer{known: map[string]string{}}
	if err := o.informer.SetTransform(shared.transform); err != nil {
		return nil, err
	}
	return o, o.informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *toolscache.Reflector, err error) {
		log.FromContext(ctx).V(1).Info("The watch of RequestAuthentications ended", "reason", err.Error())
	})
}

// listWatch lists and watches, and notes how that ends.
func (o *Objects) listWatch() *toolscache.ListWatch {
	ours := contract.ManagedByLabel + "=" + contract.ManagedBy
	return &toolscache.ListWatch{
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
	}
}

// note remembers how a look ended.
func (o *Objects) note(ctx context.Context, err error) {
	if err != nil && ctx.Err() != nil {
		return // it was given up
	}
	o.mu.Lock()
	same := kindOf(o.trouble) == kindOf(err)
	o.trouble = err
	select {
	case <-o.answered:
	default:
		close(o.answered)
		same = false
	}
	o.mu.Unlock()
	if !same {
		log.FromContext(ctx).Info("RequestAuthentications of Istio", "state", kindOf(err))
		o.tell()
	}
}

// kindOf tells apart what an answer can mean.
func kindOf(err error) string {
	switch {
	case err == nil:
		return "readable"
	case apierrors.IsNotFound(err):
		return keywrightv1alpha1.ReasonIstioNotInstalled
	case apierrors.IsForbidden(err):
		return keywrightv1alpha1.ReasonIstioForbidden
	default:
		return keywrightv1alpha1.ReasonIstioUnreachable
	}
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

// tell says that Trouble or Refused say something else.
func (o *Objects) tell() {
	o.mu.Lock()
	changed := slices.Clone(o.changed)
	o.mu.Unlock()
	for _, f := range changed {
		f()
	}
}

// firstAnswer is how long everything waits for the first answer.
const firstAnswer = 10 * time.Second

// WaitForAnswer waits until it is known what stands, or why that is not known. An API server that does not answer about RequestAuthentications holds
// nothing else up for longer than ten seconds.
func (o *Objects) WaitForAnswer(ctx context.Context) bool {
	bounded, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	select {
	case <-o.answered:
	case <-bounded.Done():
		return ctx.Err() == nil
	}
	if o.lastTrouble() != nil {
		return true
	}
	toolscache.WaitForCacheSync(bounded.Done(), o.informer.HasSynced)
	return ctx.Err() == nil
}

// Readable reports whether it is known which RequestAuthentications stand: those that the watch shows, and none where there is no Istio.
func (o *Objects) Readable() bool {
	return o != nil && (o.informer.HasSynced() || o.Trouble() == keywrightv1alpha1.ReasonIstioNotInstalled)
}

// Trouble returns the reason of a condition that says why RequestAuthentications cannot be kept, empty if they can.
func (o *Objects) Trouble() string {
	if o == nil {
		return keywrightv1alpha1.ReasonIstioNotEnabled
	}
	err := o.lastTrouble()
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsForbidden(err):
		return kindOf(err)
	case !o.informer.HasSynced():
		return keywrightv1alpha1.ReasonIstioUnreachable
	default:
		return "" // a watch that ended and begins again
	}
}

func (o *Objects) lastTrouble() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.trouble
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

// Refused returns why the RequestAuthentication of a SigningKey in a namespace could not be written or deleted, empty if it could.
func (o *Objects) Refused(namespace, signingKey string) string {
	if o == nil {
		return ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.refused[types.NamespacedName{Namespace: namespace, Name: signingKey}]
}

// ended notes how an attempt to write or delete ended.
func (o *Objects) ended(namespace, signingKey string, err error) {
	text := ""
	if err != nil {
		text = shorten(err.Error())
	}
	key := types.NamespacedName{Namespace: namespace, Name: signingKey}
	o.mu.Lock()
	same := o.refused[key] == text
	if o.refused[key] = text; text == "" {
		delete(o.refused, key)
	}
	o.mu.Unlock()
	if !same {
		o.tell()
	}
}

// shorten keeps a message of the API server within what a condition can hold.
func shorten(text string) string {
	const most = 300
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// OnTrouble sets what else is called when Trouble or Refused say something else.
func (o *Objects) OnTrouble(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.changed = append(o.changed, f)
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

// sharer lets equal key sets be one text: those of all namespaces are nearly always the same.
type sharer struct {
	mu    sync.Mutex
	known map[string]string
}

// transform drops what is not asked for of a RequestAuthentication, and shares its key set.
func (s *sharer) transform(in any) (any, error) {
	u, ok := in.(*unstructured.Unstructured)
	if !ok {
		return in, nil
	}
	u.SetManagedFields(nil)
	rule := (&RequestAuthentication{u}).rule()
	if text, ok := rule[fieldKeySet].(string); ok {
		rule[fieldKeySet] = s.one(text)
	}
	return u, nil
}

// mostShared bounds how many key sets are remembered.
const mostShared = 64

func (s *sharer) one(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.known[text]; ok {
		return known
	}
	if len(s.known) >= mostShared {
		clear(s.known)
	}
	s.known[text] = text
	return text
}
