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

// Names lists the names that have a SigningKey or its Secrets.
type Names interface {
	// Known reads the names from the API server.
	Known(ctx context.Context) (map[string]bool, error)
}

// Reconciler reconciles the RequestAuthentications of a namespace. It is a separate controller, so that an Istio that
// rejects writes or does not respond does not delay ConfigMaps.
type Reconciler struct {
	// Client reads SigningKeys, Namespaces and ConfigMaps from the cache.
	Client client.Client
	// API reads from the API server.
	API client.Reader
	// Objects has the existing RequestAuthentications.
	Objects *Objects
	// KeyNamespace is a target of every SigningKey.
	KeyNamespace string
	// Installation reports whether another installation reconciles the SigningKeys of this cluster.
	Installation *installation.Installation
	// Projections has the revoked keys.
	Projections *desired.Store
	// Names lists the names that are in use.
	Names Names
	// Recorder writes events.
	Recorder events.EventRecorder

	// wrote has the resource version and the spec that this process wrote last, by namespace and name.
	wrote sync.Map
}

// target is one namespace.
type target struct {
	namespace string
	labels    labels.Set
	// terminating is set while it is being deleted. Nothing can be created there any more, but its pods may still run.
	terminating bool
	cm          *corev1.ConfigMap
}

// Reconcile updates the RequestAuthentications of a namespace from its ConfigMap.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if r.Objects.Trouble() != "" {
		return ctrl.Result{}, nil // every namespace is queued when the trouble has ended
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
	for _, existing := range r.Objects.In(req.Name) {
		names[existing.SigningKey()] = true
	}
	maps.DeleteFunc(names, func(_ string, relevant bool) bool { return !relevant })
	if len(names) == 0 {
		return ctrl.Result{}, nil
	}
	if owner, err := r.Installation.Owner(ctx); err != nil || owner != "" {
		return ctrl.Result{RequeueAfter: time.Minute}, err // reported for each SigningKey
	}
	at := target{namespace: req.Name, labels: namespace.Labels, terminating: namespace.DeletionTimestamp != nil}
	if at.cm, err = configMap(ctx, r.Client, req.Name); err != nil {
		return ctrl.Result{}, err
	}
	return r.updateAll(ctx, at, names, keys)
}

func (r *Reconciler) updateAll(
	ctx context.Context, at target, names map[string]bool, keys map[string]*keywrightv1alpha1.SigningKey,
) (ctrl.Result, error) {
	var all error
	var result ctrl.Result
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if key := keys[name]; key != nil && r.Installation.OtherOwner(key) != "" {
			continue
		}
		err := r.update(ctx, at, name, keys[name])
		if keystore.LostRace(err) {
			log.FromContext(ctx).V(1).Info("Retrying after a conflict with another write")
			result.RequeueAfter = 50 * time.Millisecond
			continue
		}
		r.Objects.recordResult(at.namespace, name, err)
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

// update updates one RequestAuthentication. Writes depend on the ConfigMap that is read from the API server after the
// RequestAuthentication, so that a successful write never restores an earlier state, even if a cache lags or the
// process was paused.
func (r *Reconciler) update(ctx context.Context, at target, name string, key *keywrightv1alpha1.SigningKey) error {
	s := state{name: name, key: key, file: fileIn(at.cm, name), existing: r.Objects.Get(at.namespace, NameOf(name))}
	s.selected, s.requested = r.requests(key, at.namespace, at.labels, s.existing != nil)
	s.selected = s.selected && !at.terminating
	if p, ok := r.Projections.Get(name); ok && !p.Foreign {
		s.revoked = p.Revoked
		if issuerfiles.TrustsNobody(p.Files.KeySet) {
			s.tombstone = p.Files.KeySet
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
	// It exists without the label of the watch, or the watch has not shown it yet.
	live, err := r.Objects.client.Namespace(at.namespace).Get(ctx, NameOf(name), metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("get %s %s/%s: %w", kind, at.namespace, NameOf(name), err)
	}
	s.existing = &RequestAuthentication{live}
	return r.write(ctx, at.namespace, s)
}

// requests reports whether a SigningKey selects a namespace, and whether outputs.istio selects it. With an invalid
// selector, it is requested if one exists already.
func (r *Reconciler) requests(
	key *keywrightv1alpha1.SigningKey, namespace string, of labels.Set, exists bool,
) (selected, requested bool) {
	output := outputOf(key)
	if output == nil {
		return false, false
	}
	selector, err := metav1.LabelSelectorAsSelector(key.Spec.Distribution.NamespaceSelector)
	selected = namespace == r.KeyNamespace || err == nil && selector.Matches(of)
	selector, err = metav1.LabelSelectorAsSelector(output.Selector)
	if err != nil {
		return selected, exists
	}
	return selected, selector.Matches(of)
}

// write creates or replaces a RequestAuthentication. It replaces the whole object, since an apply would keep fields of
// other clients, such as a selector of workloads.
func (r *Reconciler) write(ctx context.Context, namespace string, s state) error {
	cm, err := configMap(ctx, r.API, namespace)
	if err != nil {
		return fmt.Errorf("get ConfigMap %s/%s: %w", namespace, contract.JWKSConfigMap, err)
	}
	s.file = fileIn(cm, s.name)
	v := decide(s)
	if v.spec == nil {
		return nil // the cache lags behind the object that was read
	}
	want := newObject(namespace, NameOf(s.name), s.existing, v.spec)
	options := r.Objects.client.Namespace(namespace)
	stored := want
	if s.existing == nil {
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

// last is the last written version.
type last struct {
	version string
	spec    map[string]any
}

// reportUnexpected reports that another client had written to a RequestAuthentication.
func (r *Reconciler) reportUnexpected(ctx context.Context, namespace string, s state) {
	if s.existing == nil {
		return
	}
	stored, known := r.wrote.Load(namespace + "/" + NameOf(s.name))
	was, _ := stored.(last)
	if s.existing.bare() && (!known || reflect.DeepEqual(was.spec, s.existing.object.Object[fieldSpec])) {
		return
	}
	log.FromContext(ctx).Info("Replaced a RequestAuthentication that another client had written", "name", NameOf(s.name))
	r.Recorder.Eventf(s.existing.object, nil, corev1.EventTypeWarning, "UnexpectedContent", "Replace",
		"Replaced content of another client. Only Keywright may write this RequestAuthentication")
}

// remove deletes a RequestAuthentication if that is confirmed from the API server, and if it has not changed.
func (r *Reconciler) remove(ctx context.Context, namespace string, s state) error {
	confirmed, err := r.confirmRemoval(ctx, namespace, s)
	if err != nil || !confirmed {
		return err
	}
	err = r.Objects.client.Namespace(namespace).Delete(ctx, NameOf(s.name), s.existing.preconditions())
	if err == nil {
		log.FromContext(ctx).Info("Deleted a RequestAuthentication that is no longer requested", "name", NameOf(s.name))
		r.wrote.Delete(namespace + "/" + NameOf(s.name))
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %s %s/%s: %w", kind, namespace, NameOf(s.name), err)
	}
	return nil
}

// confirmRemoval reads from the API server whether a RequestAuthentication is no longer requested.
func (r *Reconciler) confirmRemoval(ctx context.Context, namespace string, s state) (bool, error) {
	var key keywrightv1alpha1.SigningKey
	switch err := r.API.Get(ctx, client.ObjectKey{Name: s.name}, &key); {
	case apierrors.IsNotFound(err):
		return r.confirmDeleted(ctx, namespace, s)
	case err != nil:
		return false, fmt.Errorf("get SigningKey %s: %w", s.name, err)
	}
	ns := metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := r.API.Get(ctx, client.ObjectKey{Name: namespace}, &ns); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	s.key = &key
	s.selected, s.requested = r.requests(s.key, namespace, ns.Labels, true)
	return decide(s).remove, nil
}

// confirmDeleted reads from the API server whether a name without a SigningKey has neither Secrets nor a file.
func (r *Reconciler) confirmDeleted(ctx context.Context, namespace string, s state) (bool, error) {
	names, err := r.Names.Known(ctx)
	if err != nil || names[s.name] {
		return false, err
	}
	cm, err := configMap(ctx, r.API, namespace)
	s.key, s.file = nil, fileIn(cm, s.name)
	return err == nil && decide(s).remove, err
}
