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

// Reconciler reconciles the ConfigMap of public keys of a namespace. It writes the files of all SigningKeys and
// TrustedIssuers in one write.
type Reconciler struct {
	// Client reads Namespaces and ConfigMaps from the cache, and writes.
	Client client.Client
	// KeyNamespace holds the keyrings.
	KeyNamespace string
	// Now is the clock.
	Now func() time.Time
	// Recorder writes events.
	Recorder events.EventRecorder
	// Projections has the projections of the other controllers.
	Projections *desired.Store
	// Metrics counts writes.
	Metrics *Metrics
	// Installation reports whether another installation reconciles the SigningKeys of this cluster.
	Installation *installation.Installation
	// Quorum reads from the API server, for decisions that must not depend on memory or a cache.
	Quorum *QuorumReader

	// written has the resource version that this process wrote last, by namespace.
	written sync.Map
}

// Reconcile updates the ConfigMap of a namespace from all projections.
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
		return ctrl.Result{}, nil // nothing can be created there any more; an existing ConfigMap can be updated
	}
	if foreign, err := r.belongsToAnother(ctx, cm); err != nil || foreign {
		return ctrl.Result{RequeueAfter: time.Minute}, err
	}
	want, wait, err := r.compose(ctx, target{req.Name, namespace.Labels, cm})
	if err != nil {
		return ctrl.Result{}, err
	}
	err = r.write(ctx, req.Name, cm, want)
	if keystore.LostRace(err) {
		log.FromContext(ctx).V(1).Info("Retrying after a conflict with another write")
		return ctrl.Result{RequeueAfter: 50 * time.Millisecond}, nil
	}
	if err == nil && len(want.leftOut) > 0 {
		err = fmt.Errorf("ConfigMap %s/%s has no room for %s: it holds at most 1 MiB. Let fewer SigningKeys and TrustedIssuers select this namespace",
			req.Name, contract.JWKSConfigMap, strings.Join(want.leftOut, ", "))
	}
	return ctrl.Result{RequeueAfter: wait}, err
}

// read returns the ConfigMap of a namespace from the cache, nil if there is none.
func (r *Reconciler) read(ctx context.Context, namespace string) (*corev1.ConfigMap, error) {
	var cm corev1.ConfigMap
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: contract.JWKSConfigMap}, &cm)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return &cm, err
}

// compose returns the desired ConfigMap. For decisions that must not depend on memory or a cache, it first reads from
// the API server, in three steps, each of which may change the projections. It also returns when to reconcile again, 0
// if no time is due.
func (r *Reconciler) compose(ctx context.Context, at target) (composition, time.Duration, error) {
	now, projections := r.Now(), r.Projections.All()
	wait, err := r.freezeNotRead(ctx, unclaimedNames(at.cm, projections), projections)
	if err != nil {
		return composition{}, 0, err
	}
	want := compose(now, at, projections)
	if r.asWanted(at.cm, want) {
		return want, want.wakeIn(now, wait), nil
	}
	if names := possiblyStale(now, want, projections); len(names) > 0 {
		unconfirmed, err := r.confirm(ctx, names, projections)
		if err != nil {
			return composition{}, 0, err
		}
		want, wait = compose(now, at, projections), max(wait, unconfirmed)
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

// asWanted reports whether the ConfigMap is up to date.
func (r *Reconciler) asWanted(cm *corev1.ConfigMap, want composition) bool {
	if cm == nil {
		return len(want.data) == 0
	}
	return want.matches(cm) && cm.Annotations[contract.KeyNamespaceAnnotation] == r.KeyNamespace
}

// belongsToAnother reports whether a ConfigMap is that of another installation, and this one has neither SigningKeys
// nor Secrets. Files that the other one has retained are then not changed. If this installation has any, a forged
// annotation has no effect.
func (r *Reconciler) belongsToAnother(ctx context.Context, cm *corev1.ConfigMap) (bool, error) {
	if cm == nil || r.Installation.May(cm.Annotations[contract.KeyNamespaceAnnotation]) {
		return false, nil
	}
	names, err := r.Quorum.Known(ctx)
	return len(names) == 0, err
}

// write writes the desired ConfigMap with one write, or none if it is up to date.
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
		return nil // replacing it could lose a correct key set
	case isImmutable(cm):
		err = r.Client.Delete(ctx, cm, client.Preconditions{UID: &cm.UID, ResourceVersion: &cm.ResourceVersion})
		r.Metrics.wrote("delete", err)
		if err == nil { // at once, since a frozen key set is now in no other object
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

// create creates the ConfigMap by an apply, since RBAC can then grant it by name. Each apply has its own field manager,
// so that an object that exists already is a conflict, even if this process created it and its cache lags. An apply by
// the same manager would remove files.
func (r *Reconciler) create(ctx context.Context, namespace string, want composition, annotation string) error {
	apply := applycorev1.ConfigMap(contract.JWKSConfigMap, namespace).
		WithLabels(map[string]string{contract.ManagedByLabel: contract.ManagedBy}).
		WithAnnotations(map[string]string{contract.ProjectionsAnnotation: annotation, contract.KeyNamespaceAnnotation: r.KeyNamespace}).
		WithData(want.data)
	return r.Client.Apply(ctx, apply, client.FieldOwner(contract.ManagedBy+"-create-"+rand.Text()[:8]))
}

// update replaces the whole ConfigMap with the resource version that was read. Labels and annotations of other clients
// stay, since pods do not see them. It removes owner references and finalizers, which could delete the ConfigMap or
// prevent its replacement.
func (r *Reconciler) update(ctx context.Context, cm *corev1.ConfigMap, want composition, annotation string) error {
	next := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: cm.Namespace, Name: cm.Name, UID: cm.UID, ResourceVersion: cm.ResourceVersion,
			Labels: cloned(cm.Labels), Annotations: cloned(cm.Annotations),
			ManagedFields: []metav1.ManagedFieldsEntry{{}}, // not tracked, since only this controller owns fields
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

// reportUnexpected reports that another client had written to the ConfigMap.
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
	log.FromContext(ctx).Info("Restored a ConfigMap that another client had changed", "unexpected", text, "count", len(unexpected))
	r.Recorder.Eventf(cm, nil, corev1.EventTypeWarning, "UnexpectedContent", "Replace",
		"Replaced content of another client: %s (%d in total). Only Keywright may write this ConfigMap", text, len(unexpected))
}
