package podrefresh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/keystore"
	"github.com/keywright/keywright/controllers/rotation"
)

// Reconciler nudges the pods that may have mounted a revoked key. A kubelet renews the files of a pod only when it
// syncs the pod: after 60 to 90 s, or at once when the pod changes. A work item is one SigningKey.
//
// Every pod is nudged twice, since the kubelet's copy of a Secret or ConfigMap can be older than the first nudge.
type Reconciler struct {
	// For is the name of the controller: "nudge" for SigningKeys.
	For string
	// Client reads ConfigMaps from the cache, and patches pods.
	Client client.Client
	// API lists pods and reads Secrets from the API server. Revocations are rare, so pods are not cached.
	API client.Reader
	// KeyNamespace holds the pods of the issuers.
	KeyNamespace string
	// Everywhere includes the pods of all namespaces that mount the public keys. Without it, only pods in the key
	// namespace are nudged.
	Everywhere bool
	// Now is the clock.
	Now func() time.Time
	// Requests has the requested nudges, and gets their results.
	Requests *Requests
	// Metrics counts nudges.
	Metrics *Metrics

	// rounds holds the *round of each SigningKey.
	rounds sync.Map
}

// round is one nudging of the pods of one SigningKey.
type round struct {
	// ids are the revoked keys. If one is added, the round starts again.
	ids []string
	// nudged are the pods that were nudged once.
	nudged map[types.UID]client.ObjectKey
	// early are the pods of issuers that were nudged before their Secret was written, for the revocation list in their
	// ConfigMap.
	early map[types.UID]client.ObjectKey
	// tries is how often files still held a key.
	tries int
	// once is set if every pod was nudged once.
	once bool
}

const (
	// nudgeAgainAfter is the time between the two nudges of a pod.
	nudgeAgainAfter = 2 * time.Second
	// parallelNudges is how many pods are nudged in parallel.
	parallelNudges = 16
	// podPageSize is the page size when pods are listed.
	podPageSize = 500
)

// Reconcile nudges the pods whose files were written without the revoked keys.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	ids := r.Requests.openFor(req.Name)
	if len(ids) == 0 {
		r.rounds.Delete(req.Name)
		return ctrl.Result{}, nil
	}
	round := r.roundOf(req.Name, ids)
	if round.once {
		if err := r.nudgeAll(ctx, round.nudged, maps.Clone(round.nudged)); err != nil {
			return ctrl.Result{}, err
		}
		return ctrl.Result{}, r.finish(ctx, req.Name, round)
	}
	pods, err := r.podsToNudge(ctx, req.Name, round)
	if err != nil {
		return ctrl.Result{}, err
	}
	err = errors.Join(r.nudgeAll(ctx, round.early, pods.early), r.nudgeAll(ctx, round.nudged, pods.ready))
	for uid := range round.nudged {
		delete(pods.ready, uid)
	}
	left := pods.waiting + len(pods.ready)
	r.Requests.count(req.Name, int32(left)) //nolint:gosec // no cluster has 2^31 pods
	switch {
	case err != nil:
		return ctrl.Result{}, err
	case left > 0:
		round.tries++
		return ctrl.Result{RequeueAfter: min(time.Second/8<<min(round.tries, 10), time.Minute)}, nil
	case len(round.nudged) == 0:
		return ctrl.Result{}, r.finish(ctx, req.Name, round)
	}
	round.once = true
	return ctrl.Result{RequeueAfter: nudgeAgainAfter}, nil
}

func (r *Reconciler) roundOf(name string, ids []string) *round {
	if begun, ok := r.rounds.Load(name); ok {
		if of, ok := begun.(*round); ok && slices.Equal(of.ids, ids) {
			return of
		}
	}
	begun := &round{ids: ids, nudged: map[types.UID]client.ObjectKey{}, early: map[types.UID]client.ObjectKey{}}
	r.rounds.Store(name, begun)
	return begun
}

func (r *Reconciler) finish(ctx context.Context, name string, round *round) error {
	log.FromContext(ctx).Info("Nudged pods to renew their files", "pods", len(round.nudged), "revoked", round.ids)
	r.rounds.Delete(name)
	r.Requests.finish(name, round.ids, rotation.Nudged{At: r.Now(), Everywhere: r.Everywhere})
	return nil
}

// podSet has the running pods that may have a revoked key and were not nudged yet.
type podSet struct {
	// ready are those whose files were written without the key.
	ready map[types.UID]client.ObjectKey
	// waiting is the number of the others.
	waiting int
	// early are those of issuers whose Secret still holds the key, while the revocation list in their ConfigMap has it.
	early map[types.UID]client.ObjectKey
}

// podsToNudge returns the running pods that mount the public keys, or the signing-key Secret of this SigningKey.
func (r *Reconciler) podsToNudge(ctx context.Context, name string, round *round) (podSet, error) {
	pods := podSet{ready: map[types.UID]client.ObjectKey{}, early: map[types.UID]client.ObjectKey{}}
	secret, err := keystore.ReadSigningKey(ctx, r.API, r.KeyNamespace, name)
	if err != nil {
		return pods, err
	}
	seen := keystore.Observe(secret)
	signs := slices.ContainsFunc(round.ids, func(id string) bool {
		return id == seen.ActiveID || slices.Contains(seen.Published, id)
	})
	return pods, r.eachPod(ctx, func(pod *corev1.Pod) error { return r.addPod(ctx, pod, name, round, signs, &pods) })
}

// addPod adds a pod to pods, by the state of its files. signs is set while the Secret holds a revoked key.
func (r *Reconciler) addPod(ctx context.Context, pod *corev1.Pod, name string, round *round, signs bool, pods *podSet) error {
	issuer := pod.Namespace == r.KeyNamespace && mounts(pod, "", name+contract.SigningKeySuffix)
	verifier := mounts(pod, contract.JWKSConfigMap, "")
	if _, nudged := round.nudged[pod.UID]; nudged || (!issuer && !verifier) || completed(pod) {
		return nil
	}
	var has, holds bool
	if verifier {
		var err error
		if has, holds, err = r.file(ctx, pod.Namespace, name, round.ids); err != nil {
			return err
		}
	}
	terminating, err := r.terminating(ctx, pod.Namespace)
	if err != nil {
		return err
	}
	_, early := round.early[pod.UID]
	switch key := client.ObjectKeyFromObject(pod); {
	case holds || has && terminating:
		pods.waiting++
	case issuer && signs:
		pods.waiting++
		if verifier && !early {
			pods.early[pod.UID] = key
		}
	case issuer || has:
		pods.ready[pod.UID] = key
	}
	return nil
}

// eachPod reads the pods page by page.
func (r *Reconciler) eachPod(ctx context.Context, do func(*corev1.Pod) error) error {
	options := []client.ListOption{client.Limit(podPageSize)}
	if !r.Everywhere {
		options = append(options, client.InNamespace(r.KeyNamespace))
	}
	var next string
	for {
		var page corev1.PodList
		if err := r.API.List(ctx, &page, append(options, client.Continue(next))...); err != nil {
			return fmt.Errorf("list the pods to nudge: %w", err)
		}
		for i := range page.Items {
			if err := do(&page.Items[i]); err != nil {
				return err
			}
		}
		if next = page.Continue; next == "" {
			return nil
		}
	}
}

// file reports whether a namespace has a file of this SigningKey, and whether it still holds one of the keys. If the
// ConfigMap is missing, running pods may still have the file.
func (r *Reconciler) file(ctx context.Context, namespace, name string, ids []string) (has, holds bool, err error) {
	var cm corev1.ConfigMap
	err = r.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: contract.JWKSConfigMap}, &cm)
	if apierrors.IsNotFound(err) {
		return true, false, nil
	} else if err != nil {
		return false, false, err
	}
	content, has := cm.Data[name+contract.JWKSSuffix]
	held := issuerfiles.KeyIDs([]byte(content))
	return has, slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(held, id) }), nil
}

// terminating reports whether a namespace is being deleted and has no ConfigMap any more. Its pods keep their files
// until they terminate.
func (r *Reconciler) terminating(ctx context.Context, namespace string) (bool, error) {
	of := metav1.PartialObjectMetadata{}
	of.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := r.Client.Get(ctx, client.ObjectKey{Name: namespace}, &of); err != nil || of.DeletionTimestamp == nil {
		return false, client.IgnoreNotFound(err)
	}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: contract.JWKSConfigMap}, &corev1.ConfigMap{})
	return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
}

// mounts reports whether a pod has a volume of a ConfigMap or of a Secret. An empty name matches none.
func mounts(pod *corev1.Pod, configMap, secret string) bool {
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if v.ConfigMap != nil && v.ConfigMap.Name == configMap || v.Secret != nil && v.Secret.SecretName == secret {
			return true
		}
		if v.Projected == nil {
			continue
		}
		for _, s := range v.Projected.Sources {
			if s.ConfigMap != nil && s.ConfigMap.Name == configMap || s.Secret != nil && s.Secret.Name == secret {
				return true
			}
		}
	}
	return false
}

func completed(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// nudgeAll nudges pods in parallel, and adds those that succeeded to nudged. Deleted pods are ignored. If some fail,
// the others are still nudged, and the first error is returned.
func (r *Reconciler) nudgeAll(ctx context.Context, nudged, pods map[types.UID]client.ObjectKey) error {
	now, err := json.Marshal(r.Now().UTC().Format(time.RFC3339Nano))
	if err != nil {
		return err
	}
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%s}}}`, contract.NudgedAnnotation, now))
	ids := slices.Collect(maps.Keys(pods))
	refusals := make([]error, len(ids))
	workqueue.ParallelizeUntil(ctx, parallelNudges, len(ids), func(i int) {
		key := pods[ids[i]]
		pod := metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
		pod.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
		refusals[i] = client.IgnoreNotFound(r.Client.Patch(ctx, &pod, patch))
		r.Metrics.nudged(refusals[i])
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var first error
	refused := 0
	for i, id := range ids {
		if refusals[i] == nil {
			nudged[id] = pods[id]
			continue
		}
		refused++
		if first == nil {
			first = fmt.Errorf("nudge pod %s: %w", pods[id], refusals[i])
		}
	}
	if first != nil {
		return fmt.Errorf("%d of %d pods cannot be nudged: %w", refused, len(pods), first)
	}
	return nil
}
