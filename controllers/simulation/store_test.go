package simulation

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// change is one watch event. old is nil for a creation, new for a deletion.
type change struct {
	ref      ref
	at       time.Time
	old, new client.Object
}

// store is the API server: its objects and all changes. A stored object is never modified, since each write stores a
// copy.
type store struct {
	now      func() time.Time
	version  int64
	uids     int64
	objects  map[ref]client.Object
	appliers map[ref]string // which client created an object by an apply, until an update
	changes  map[string][]change
	// committed is called for every change.
	committed func(change)
}

func newStore(now func() time.Time) *store {
	return &store{
		now: now, objects: map[ref]client.Object{}, appliers: map[ref]string{}, changes: map[string][]change{},
		committed: func(change) {},
	}
}

// get returns a stored object. The caller must not change it.
func (s *store) get(r ref) (client.Object, error) {
	if o, ok := s.objects[r]; ok {
		return o, nil
	}
	return nil, apierrors.NewNotFound(r.resource(), r.name)
}

// list returns the objects of a kind in a namespace, or in all, sorted.
func (s *store) list(kind, namespace string) []client.Object {
	return sortedObjects(s.objects, kind, namespace)
}

func sortedObjects(objects map[ref]client.Object, kind, namespace string) []client.Object {
	var out []client.Object
	for r, o := range objects {
		if r.kind == kind && (namespace == "" || r.namespace == namespace) {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b client.Object) int {
		return slices.Compare([]string{a.GetNamespace(), a.GetName()}, []string{b.GetNamespace(), b.GetName()})
	})
	return out
}

// create stores a new object with the metadata of the API server.
func (s *store) create(o client.Object) (client.Object, error) {
	r := refOf(o)
	if o.GetResourceVersion() != "" {
		return nil, apierrors.NewBadRequest("resourceVersion should not be set on objects to be created")
	}
	if r.namespace != "" {
		ns, ok := s.objects[ref{kindNamespace, "", r.namespace}]
		switch {
		case !ok:
			return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, r.namespace)
		case ns.GetDeletionTimestamp() != nil:
			return nil, apierrors.NewForbidden(r.resource(), r.name, fmt.Errorf("namespace %s is being terminated", r.namespace))
		}
	}
	if _, stands := s.objects[r]; stands {
		return nil, apierrors.NewAlreadyExists(r.resource(), r.name)
	}
	next := normal(o)
	s.uids++
	next.SetUID(types.UID(fmt.Sprintf("uid-%d", s.uids)))
	next.SetCreationTimestamp(metav1.NewTime(s.now().Truncate(time.Second)))
	next.SetDeletionTimestamp(nil)
	switch typed := next.(type) {
	case *keywrightv1alpha1.SigningKey:
		typed.Generation = 1
		typed.Status.Conditions = conditionsDefault("SigningKey")
	case *keywrightv1alpha1.TrustedIssuer:
		typed.Generation = 1
		typed.Status.Conditions = conditionsDefault("TrustedIssuer")
	case *keywrightv1alpha1.Revocation:
		typed.Generation = 1
	case *corev1.Namespace:
		labels := map[string]string{"kubernetes.io/metadata.name": typed.Name}
		for k, v := range typed.Labels {
			labels[k] = v
		}
		typed.Labels = labels
	case *corev1.Secret:
		if typed.Type == "" {
			typed.Type = corev1.SecretTypeOpaque
		}
	}
	s.put(nil, next)
	return next, nil
}

// conditionsDefault returns the default conditions of the CRD.
func conditionsDefault(kind string) []metav1.Condition {
	return []metav1.Condition{{
		Type: keywrightv1alpha1.ConditionReady, Status: metav1.ConditionUnknown, Reason: keywrightv1alpha1.ReasonPending,
		Message: "no controller has reconciled this " + kind + " yet", LastTransitionTime: metav1.NewTime(time.Unix(0, 0)),
	}}
}

// update replaces an object, or only its status. An update without changes stores nothing.
func (s *store) update(o client.Object, status bool) (client.Object, error) {
	r := refOf(o)
	old, err := s.get(r)
	if err != nil {
		return nil, err
	}
	version := o.GetResourceVersion()
	switch {
	case version == "" && r.resource().Group != "":
		return nil, r.invalid("metadata.resourceVersion", "must be specified for an update")
	case version != "" && version != old.GetResourceVersion():
		return nil, apierrors.NewConflict(r.resource(), r.name, fmt.Errorf("the object has been modified"))
	case o.GetUID() != "" && o.GetUID() != old.GetUID():
		return nil, apierrors.NewConflict(r.resource(), r.name, fmt.Errorf("precondition failed: UID"))
	}
	next := normal(o)
	if key, ok := next.(*keywrightv1alpha1.SigningKey); ok {
		next = updatedSigningKey(old.(*keywrightv1alpha1.SigningKey), key, status)
	}
	if ti, ok := next.(*keywrightv1alpha1.TrustedIssuer); ok {
		next = updatedTrustedIssuer(old.(*keywrightv1alpha1.TrustedIssuer), ti, status)
	}
	if revocation, ok := next.(*keywrightv1alpha1.Revocation); ok && status {
		of := old.(*keywrightv1alpha1.Revocation).DeepCopy()
		of.Status = revocation.Status
		next = of
	}
	if err := immutable(r, old, next); err != nil {
		return nil, err
	}
	delete(s.appliers, r)
	return s.replace(old, next)
}

func updatedSigningKey(old, key *keywrightv1alpha1.SigningKey, status bool) *keywrightv1alpha1.SigningKey {
	if status {
		next := old.DeepCopy()
		next.Status = key.Status
		return next
	}
	key.Status = old.Status
	key.Generation = old.Generation
	if !equality.Semantic.DeepEqual(key.Spec, old.Spec) {
		key.Generation++
	}
	return key
}

func updatedTrustedIssuer(old, ti *keywrightv1alpha1.TrustedIssuer, status bool) *keywrightv1alpha1.TrustedIssuer {
	if status {
		next := old.DeepCopy()
		next.Status = ti.Status
		return next
	}
	ti.Status, ti.Generation = old.Status, old.Generation
	if !equality.Semantic.DeepEqual(ti.Spec, old.Spec) {
		ti.Generation++
	}
	return ti
}

// immutable refuses changes that the API server refuses.
func immutable(r ref, old, next client.Object) error {
	const message = "field is immutable when `immutable` is set"
	switch next := next.(type) {
	case *corev1.Secret:
		was := old.(*corev1.Secret)
		if next.Type != was.Type {
			return r.invalid("type", "field is immutable")
		}
		if isTrue(was.Immutable) && (!isTrue(next.Immutable) || !equality.Semantic.DeepEqual(was.Data, next.Data)) {
			return r.invalid("data", message)
		}
	case *corev1.ConfigMap:
		was := old.(*corev1.ConfigMap)
		same := equality.Semantic.DeepEqual(was.Data, next.Data) && equality.Semantic.DeepEqual(was.BinaryData, next.BinaryData)
		if isTrue(was.Immutable) && (!isTrue(next.Immutable) || !same) {
			return r.invalid("data", message)
		}
	}
	return nil
}

func isTrue(b *bool) bool { return b != nil && *b }

// replace stores next instead of old, with the metadata of the API server.
func (s *store) replace(old, next client.Object) (client.Object, error) {
	r := refOf(old)
	next.SetUID(old.GetUID())
	next.SetCreationTimestamp(old.GetCreationTimestamp())
	next.SetDeletionTimestamp(old.GetDeletionTimestamp())
	next.SetResourceVersion(old.GetResourceVersion())
	if r.kind != kindSigningKey && r.kind != kindTrusted {
		next.SetGeneration(old.GetGeneration())
	}
	if old.GetDeletionTimestamp() != nil {
		for _, f := range next.GetFinalizers() {
			if !slices.Contains(old.GetFinalizers(), f) {
				return nil, r.invalid("metadata.finalizers", "no new finalizers can be added if the object is being deleted")
			}
		}
	}
	if equality.Semantic.DeepEqual(old, next) {
		return old, nil
	}
	if old.GetDeletionTimestamp() != nil && len(next.GetFinalizers()) == 0 && r.kind != kindNamespace {
		s.put(old, nil)
		return next, nil
	}
	s.put(old, next)
	return next, nil
}

// put commits a change.
func (s *store) put(old, next client.Object) {
	s.version++
	c := change{old: old, new: next, at: s.now()}
	if next != nil {
		c.ref = refOf(next)
		next.SetResourceVersion(strconv.FormatInt(s.version, 10))
		s.objects[c.ref] = next
	} else {
		c.ref = refOf(old)
		delete(s.objects, c.ref)
		delete(s.appliers, c.ref)
	}
	s.changes[c.ref.kind] = append(s.changes[c.ref.kind], c)
	s.committed(c)
}

// delete deletes an object, or begins to delete it if it has finalizers. A namespace is deleted by purge.
func (s *store) delete(r ref, pre *metav1.Preconditions) error {
	old, err := s.get(r)
	if err != nil {
		return err
	}
	if pre != nil && (pre.UID != nil && *pre.UID != old.GetUID() ||
		pre.ResourceVersion != nil && *pre.ResourceVersion != old.GetResourceVersion()) {
		return apierrors.NewConflict(r.resource(), r.name, fmt.Errorf("the precondition does not hold"))
	}
	if len(old.GetFinalizers()) == 0 && r.kind != kindNamespace {
		s.put(old, nil)
		return nil
	}
	if old.GetDeletionTimestamp() != nil {
		return nil
	}
	next := old.DeepCopyObject().(client.Object)
	now := metav1.NewTime(s.now().Truncate(time.Second))
	next.SetDeletionTimestamp(&now)
	if old.GetGeneration() > 0 {
		next.SetGeneration(old.GetGeneration() + 1)
	}
	s.put(old, next)
	return nil
}
