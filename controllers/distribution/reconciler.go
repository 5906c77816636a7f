package distribution

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/installation"
	"github.com/keywright/keywright/controllers/keystore"
)

// Reconciler keeps the ConfigMap of public keys of one namespace a work item: the union of all SigningKeys and TrustedIssuers
// that have a file there, in one write.
type Reconciler struct {
	// Client reads Namespaces and ConfigMaps from the cache, and writes.
	Client client.Client
	// KeyNamespace holds the keyrings.
	KeyNamespace string
	// Now is the clock.
	Now func() time.Time
	// Recorder writes events.
	Recorder events.EventRecorder
	// Projections is what the signingkey controller decided.
	Projections *desired.Store
	// Metrics counts writes.
	Metrics *Metrics
	// Installation knows whether another one reconciles the SigningKeys of this cluster.
	Installation *installation.Installation
	// Quorum reads from the API server itself what neither memory nor a cache may decide.
	Quorum *QuorumReader

	// written is the resource version that this process wrote last, by namespace.
	written sync.Map
}

// Reconcile brings the ConfigMap of one namespace to what all projections ask for.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var namespace metav1.PartialObjectMetadata
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := r.Client.Get(ctx, req.NamespacedName, &namespace)
	if err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.Projections.None() { // else this installation reconciles SigningKeys
		if owner, err := r.Installation.Owner(ctx); err != nil || owner != "" {
			return ctrl.Result{RequeueAfter: time.Minute}, err // reported for each SigningKey
		}
	}
	cm, err := r.read(ctx, req.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	if namespace.DeletionTimestamp != nil && (cm == nil || isImmutable(cm)) {
		return ctrl.Result{}, nil // nothing can be created there any more; what stands can be updated
	}
	if another, err := r.another(ctx, cm); err != nil || another {
		return ctrl.Result{RequeueAfter: time.Minute}, err
	}
	want, wait, err := r.compose(ctx, place{req.Name, namespace.Labels, cm})
	if err != nil {
		return ctrl.Result{}, err
	}
	err = r.write(ctx, req.Name, cm, want)
	if keystore.LostRace(err) {
		log.FromContext(ctx).V(1).Info("Reading again after a conflict with another write")
		return ctrl.Result{RequeueAfter: 50 * time.Millisecond}, nil
	}
	if err == nil && len(want.leftOut) > 0 {
		err = fmt.Errorf("ConfigMap %s/%s has no room for %s: it holds at most 1 MiB. Let fewer SigningKeys and TrustedIssuers select this namespace",
			req.Name, contract.JWKSConfigMap, strings.Join(want.leftOut, ", "))
	}
	return ctrl.Result{RequeueAfter: wait}, err
}

// read returns the ConfigMap that stands in a namespace as the cache shows it, or nil.
func (r *Reconciler) read(ctx context.Context, namespace string) (*corev1.ConfigMap, error) {
	var cm corev1.ConfigMap
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: contract.JWKSConfigMap}, &cm)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return &cm, err
}

// compose composes what is to be written. What memory and cache may not decide, the API server itself is asked before, in three steps; each may
// change the projections that it goes by. It also returns when to look again, 0 for never.
func (r *Reconciler) compose(ctx context.Context, at place) (composition, time.Duration, error) {
	now, projections := r.Now(), r.Projections.All()
	wait, err := r.answer(ctx, unanswered(at.cm, projections), projections)
	if err != nil {
		return composition{}, 0, err
	}
	want := compose(now, at, projections)
	if r.asWanted(at.cm, want) {
		return want, want.wakeIn(now, wait), nil
	}
	if names := doubtful(now, want, projections); len(names) > 0 {
		doubted, err := r.confirm(ctx, names, projections)
		if err != nil {
			return composition{}, 0, err
		}
		want, wait = compose(now, at, projections), max(wait, doubted)
	}
	if len(want.ended) > 0 {
		kept, err := r.confirmEnd(ctx, at.namespace, want.ended, projections)
		if err != nil {
			return composition{}, 0, err
		}
		want, wait = compose(now, at, projections), max(wait, kept)
	}
	return want, want.wakeIn(now, wait), nil
}

func (c *composition) wakeIn(now time.Time, wait time.Duration) time.Duration {
	if c.wake.IsZero() {
		return wait
	}
	until := max(c.wake.Sub(now), time.Millisecond)
	if wait == 0 {
		return until
	}
	return min(wait, until)
}

// asWanted reports whether nothing is to be written.
func (r *Reconciler) asWanted(cm *corev1.ConfigMap, want composition) bool {
	if cm == nil {
		return len(want.data) == 0
	}
	return want.stands(cm) && cm.Annotations[contract.KeyNamespaceAnnotation] == r.KeyNamespace
}

// another reports whether a ConfigMap is that of another installation, and this one has nothing that it could hold: neither SigningKeys nor
// Secrets. What the other one has retained is then left alone. Where this one has something, a forged name of another changes nothing.
func (r *Reconciler) another(ctx context.Context, cm *corev1.ConfigMap) (bool, error) {
	if cm == nil || r.Installation.May(cm.Annotations[contract.KeyNamespaceAnnotation]) {
		return false, nil
	}
	names, err := r.Quorum.Known(ctx)
	return len(names) == 0, err
}

// write brings what stands to what is wanted with one write, or none.
func (r *Reconciler) write(ctx context.Context, namespace string, cm *corev1.ConfigMap, want composition) error {
	if r.asWanted(cm, want) {
		return nil
	}
	annotation, err := desired.EncodeRecords(want.records)
	if err != nil {
		return fmt.Errorf("encode the records of %s: %w", namespace, err)
	}
	switch {
	case cm == nil:
		err = r.create(ctx, namespace, want, annotation)
		r.Metrics.wrote("create", err)
	case isImmutable(cm) && want.frozen && maps.Equal(cm.Data, want.data):
		return nil // what is right is not put at risk
	case isImmutable(cm):
		err = r.Client.Delete(ctx, cm, client.Preconditions{UID: &cm.UID, ResourceVersion: &cm.ResourceVersion})
		r.Metrics.wrote("delete", err)
		if err == nil { // at once: a key set that is frozen is nowhere else now
			err = r.create(ctx, namespace, want, annotation)
			r.Metrics.wrote("create", err)
		}
	default:
		err = r.update(ctx, cm, want, annotation)
		r.Metrics.wrote("update", err)
	}
	if err != nil {
		return fmt.Errorf("write ConfigMap %s/%s: %w", namespace, contract.JWKSConfigMap, err)
	}
	r.reportUnexpected(ctx, cm, want)
	return nil
}

// create applies instead of posting: creation by name can then be granted by name. Each has a field manager of its own: what it finds created by
// another one is a conflict, also where this process created it and its cache does not show it yet. An apply by the same manager would take away
// the files that it leaves out.
func (r *Reconciler) create(ctx context.Context, namespace string, want composition, annotation string) error {
	apply := applycorev1.ConfigMap(contract.JWKSConfigMap, namespace).
		WithLabels(map[string]string{contract.ManagedByLabel: contract.ManagedBy}).
		WithAnnotations(map[string]string{contract.ProjectionsAnnotation: annotation, contract.KeyNamespaceAnnotation: r.KeyNamespace}).
		WithData(want.data)
	return r.Client.Apply(ctx, apply, client.FieldOwner(contract.ManagedBy+"-create-"+rand.Text()[:8]))
}

// update replaces the whole ConfigMap with the resource version that was read. Labels and annotations of others stay: no
// pod sees them. Owner references and finalizers go: they could take the files away, or keep them from being renewed.
func (r *Reconciler) update(ctx context.Context, cm *corev1.ConfigMap, want composition, annotation string) error {
	next := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: cm.Namespace, Name: cm.Name, UID: cm.UID, ResourceVersion: cm.ResourceVersion,
			Labels: cloned(cm.Labels), Annotations: cloned(cm.Annotations),
			ManagedFields: []metav1.ManagedFieldsEntry{{}}, // not tracked: nobody owns a field of it but this controller
		},
		Data: want.data,
	}
	next.Labels[contract.ManagedByLabel] = contract.ManagedBy
	next.Annotations[contract.ProjectionsAnnotation], next.Annotations[contract.KeyNamespaceAnnotation] = annotation, r.KeyNamespace
	if err := r.Client.Update(ctx, next); err != nil {
		return err
	}
	r.written.Store(cm.Namespace, next.ResourceVersion)
	if !maps.Equal(next.Data, want.data) {
		return keystore.ErrRewritten
	}
	return nil
}

func isImmutable(cm *corev1.ConfigMap) bool { return cm.Immutable != nil && *cm.Immutable }

func cloned(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return maps.Clone(m)
}

// reportUnexpected says that somebody else had written to the ConfigMap.
func (r *Reconciler) reportUnexpected(ctx context.Context, cm *corev1.ConfigMap, want composition) {
	if cm == nil {
		return
	}
	unexpected := want.unexpected
	if len(cm.BinaryData) > 0 {
		unexpected = append(unexpected, "binaryData")
	}
	if cm.Immutable != nil {
		unexpected = append(unexpected, "immutable")
	}
	if len(cm.OwnerReferences) > 0 {
		unexpected = append(unexpected, "ownerReferences")
	}
	if len(unexpected) == 0 {
		return
	}
	const most = 5
	text := strings.Join(unexpected[:min(len(unexpected), most)], ", ")
	r.Metrics.unexpected.Inc()
	log.FromContext(ctx).Info("Replaced unexpected content", "unexpected", text, "count", len(unexpected))
	r.Recorder.Eventf(cm, nil, corev1.EventTypeWarning, "UnexpectedContent", "Replace",
		"Replaced content of another client: %s (%d in total). Only Keywright may write this ConfigMap", text, len(unexpected))
}
