package istio

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/installation"
	"github.com/keywright/keywright/controllers/keystore"
)

// Names knows every name that has a SigningKey or its Secrets, as the API server itself has it.
type Names interface {
	Known(ctx context.Context) (map[string]bool, error)
}

// Reconciler keeps the RequestAuthentications of one namespace a work item. It is a controller of its own, so that an Istio that refuses or
// does not answer holds up no ConfigMap.
type Reconciler struct {
	// Client reads SigningKeys, Namespaces and ConfigMaps from the cache.
	Client client.Client
	// API reads from the API server itself.
	API client.Reader
	// Objects are what stands.
	Objects *Objects
	// KeyNamespace is a target of every SigningKey.
	KeyNamespace string
	// Installation knows whether another one reconciles the SigningKeys of this cluster.
	Installation *installation.Installation
	// Projections says which keys are revoked.
	Projections *desired.Store
	// Names knows which names are in use.
	Names Names
	// Recorder writes events.
	Recorder events.EventRecorder

	// wrote is what this process wrote last: the resource version, and the spec.
	wrote sync.Map
}

// place is one namespace, as it was read.
type place struct {
	namespace string
	labels    labels.Set
	// terminating is set while it is being deleted: nothing can be created there any more, and pods may run on with what stands.
	terminating bool
	cm          *corev1.ConfigMap
}

// Reconcile brings the RequestAuthentications of one namespace to what its ConfigMap says.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if r.Objects.Trouble() != "" {
		return ctrl.Result{}, nil // the end of it queues every namespace
	}
	namespace := metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := r.Client.Get(ctx, req.NamespacedName, &namespace)
	if err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	keys, err := r.signingKeys(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	names := map[string]bool{}
	for name, key := range keys {
		names[name] = outputOf(key) != nil
	}
	for _, stands := range r.Objects.In(req.Name) {
		names[stands.SigningKey()] = true
	}
	maps.DeleteFunc(names, func(_ string, concerned bool) bool { return !concerned })
	if len(names) == 0 {
		return ctrl.Result{}, nil
	}
	if owner, err := r.Installation.Owner(ctx); err != nil || owner != "" {
		return ctrl.Result{RequeueAfter: time.Minute}, err // reported for each SigningKey
	}
	at := place{namespace: req.Name, labels: namespace.Labels, terminating: namespace.DeletionTimestamp != nil}
	if at.cm, err = configMap(ctx, r.Client, req.Name); err != nil {
		return ctrl.Result{}, err
	}
	return r.bringAll(ctx, at, names, keys)
}

func (r *Reconciler) bringAll(ctx context.Context, at place, names map[string]bool, keys map[string]*keywrightv1alpha1.SigningKey) (ctrl.Result, error) {
	var all error
	var result ctrl.Result
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if key := keys[name]; key != nil && r.Installation.OtherOwner(key) != "" {
			continue
		}
		err := r.bring(ctx, at, name, keys[name])
		if keystore.LostRace(err) {
			log.FromContext(ctx).V(1).Info("Reading again after a conflict with another write")
			result.RequeueAfter = 50 * time.Millisecond
			continue
		}
		r.Objects.ended(at.namespace, name, err)
		all = errors.Join(all, err)
	}
	if all != nil {
		return ctrl.Result{}, all
	}
	return result, nil
}

func (r *Reconciler) signingKeys(ctx context.Context) (map[string]*keywrightv1alpha1.SigningKey, error) {
	var list keywrightv1alpha1.SigningKeyList
	if err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list SigningKeys: %w", err)
	}
	keys := make(map[string]*keywrightv1alpha1.SigningKey, len(list.Items))
	for i := range list.Items {
		keys[list.Items[i].Name] = &list.Items[i]
	}
	return keys, nil
}

// configMap returns the ConfigMap of a namespace, nil if there is none.
func configMap(ctx context.Context, from client.Reader, namespace string) (*corev1.ConfigMap, error) {
	var cm corev1.ConfigMap
	err := from.Get(ctx, client.ObjectKey{Namespace: namespace, Name: contract.JWKSConfigMap}, &cm)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return &cm, err
}

// bring brings one RequestAuthentication to where it should be. What is written goes by the ConfigMap that the API server itself has, read
// after the RequestAuthentication: so a write that succeeds never goes back, whatever a cache or the memory of a paused process says.
func (r *Reconciler) bring(ctx context.Context, at place, name string, key *keywrightv1alpha1.SigningKey) error {
	s := situation{name: name, key: key, file: fileIn(at.cm, name), stands: r.Objects.Get(at.namespace, NameOf(name))}
	s.selected, s.asked = r.asks(key, at.namespace, at.labels, s.stands != nil)
	s.selected = s.selected && !at.terminating
	if p, ok := r.Projections.Get(name); ok && !p.Foreign {
		s.revoked = p.Revoked
		if issuerfiles.TrustsNobody(p.Files.KeySet) {
			s.nobody = p.Files.KeySet
		}
	}
	switch v := decide(s); {
	case v.remove:
		return r.remove(ctx, at.namespace, s)
	case v.spec == nil:
		return nil
	}
	err := r.write(ctx, at.namespace, s)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	// It stands without the label by which it is watched, or the watch does not show it yet.
	live, err := r.Objects.client.Namespace(at.namespace).Get(ctx, NameOf(name), metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("get %s %s/%s: %w", kind, at.namespace, NameOf(name), err)
	}
	s.stands = &RequestAuthentication{live}
	return r.write(ctx, at.namespace, s)
}

// asks reports whether a SigningKey selects a namespace, and whether that asks for a RequestAuthentication. A selector that cannot be read gives
// one to nobody, and takes none away.
func (r *Reconciler) asks(key *keywrightv1alpha1.SigningKey, namespace string, of labels.Set, before bool) (selected, asked bool) {
	output := outputOf(key)
	if output == nil {
		return false, false
	}
	selector, err := metav1.LabelSelectorAsSelector(key.Spec.Distribution.NamespaceSelector)
	selected = namespace == r.KeyNamespace || err == nil && selector.Matches(of)
	selector, err = metav1.LabelSelectorAsSelector(output.Selector)
	if err != nil {
		return selected, before
	}
	return selected, selector.Matches(of)
}

// write creates or replaces a RequestAuthentication. A replacement is of the whole: an apply would leave what somebody added, such as a selector
// of workloads.
func (r *Reconciler) write(ctx context.Context, namespace string, s situation) error {
	cm, err := configMap(ctx, r.API, namespace)
	if err != nil {
		return fmt.Errorf("get ConfigMap %s/%s: %w", namespace, contract.JWKSConfigMap, err)
	}
	s.file = fileIn(cm, s.name)
	v := decide(s)
	if v.spec == nil {
		return nil // the cache will show what was read
	}
	want := written(namespace, NameOf(s.name), s.stands, v.spec)
	options := r.Objects.client.Namespace(namespace)
	stored := want
	if s.stands == nil {
		stored, err = options.Create(ctx, want, metav1.CreateOptions{FieldManager: contract.ManagedBy})
	} else {
		stored, err = options.Update(ctx, want, metav1.UpdateOptions{FieldManager: contract.ManagedBy})
	}
	if err != nil {
		return fmt.Errorf("write %s %s/%s: %w", kind, namespace, want.GetName(), err)
	}
	r.reportUnexpected(ctx, namespace, s)
	r.wrote.Store(namespace+"/"+want.GetName(), last{stored.GetResourceVersion(), v.spec})
	if !reflect.DeepEqual(stored.Object[fieldSpec], v.spec) {
		return keystore.ErrRewritten
	}
	return nil
}

// last is what was written last.
type last struct {
	version string
	spec    map[string]any
}

// reportUnexpected says that somebody else had written to a RequestAuthentication.
func (r *Reconciler) reportUnexpected(ctx context.Context, namespace string, s situation) {
	if s.stands == nil {
		return
	}
	stored, known := r.wrote.Load(namespace + "/" + NameOf(s.name))
	was, _ := stored.(last)
	if s.stands.bare() && (!known || reflect.DeepEqual(was.spec, s.stands.object.Object[fieldSpec])) {
		return
	}
	log.FromContext(ctx).Info("Replaced an unexpected RequestAuthentication", "name", NameOf(s.name))
	r.Recorder.Eventf(s.stands.object, nil, corev1.EventTypeWarning, "UnexpectedContent", "Replace",
		"Replaced content of another client. Only Keywright may write this RequestAuthentication")
}

// remove deletes a RequestAuthentication, once the API server itself says that it is to go, and if it is as it was seen.
func (r *Reconciler) remove(ctx context.Context, namespace string, s situation) error {
	over, err := r.over(ctx, namespace, s)
	if err != nil || !over {
		return err
	}
	err = r.Objects.client.Namespace(namespace).Delete(ctx, NameOf(s.name), s.stands.preconditions())
	if err == nil {
		log.FromContext(ctx).Info("Deleted a RequestAuthentication that is no longer requested", "name", NameOf(s.name))
		r.wrote.Delete(namespace + "/" + NameOf(s.name))
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %s %s/%s: %w", kind, namespace, NameOf(s.name), err)
	}
	return nil
}

// over asks the API server itself whether nobody asks for a RequestAuthentication.
func (r *Reconciler) over(ctx context.Context, namespace string, s situation) (bool, error) {
	var key keywrightv1alpha1.SigningKey
	switch err := r.API.Get(ctx, client.ObjectKey{Name: s.name}, &key); {
	case apierrors.IsNotFound(err):
		return r.forgotten(ctx, namespace, s)
	case err != nil:
		return false, fmt.Errorf("get SigningKey %s: %w", s.name, err)
	}
	ns := metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := r.API.Get(ctx, client.ObjectKey{Name: namespace}, &ns); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	s.key = &key
	s.selected, s.asked = r.asks(s.key, namespace, ns.Labels, true)
	return decide(s).remove, nil
}

// forgotten asks the API server itself whether neither Secrets nor a file of a name without a SigningKey are left.
func (r *Reconciler) forgotten(ctx context.Context, namespace string, s situation) (bool, error) {
	names, err := r.Names.Known(ctx)
	if err != nil || names[s.name] {
		return false, err
	}
	cm, err := configMap(ctx, r.API, namespace)
	s.key, s.file = nil, fileIn(cm, s.name)
	return err == nil && decide(s).remove, err
}
