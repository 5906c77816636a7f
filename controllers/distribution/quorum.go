package distribution

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/keystore"
	"github.com/keywright/keywright/controllers/rotation"
)

// QuorumReader reads from the API server, for the few decisions that must not depend on memory or a cache.
type QuorumReader struct {
	API client.Reader
	// KeyNamespace holds the Secrets.
	KeyNamespace string
	// Now is the clock.
	Now func() time.Time
	// Projections has the projections of the other controllers.
	Projections *desired.Store

	mu       sync.Mutex
	names    map[string]bool
	listedAt time.Time
}

// namesFor is how long a list of names is cached, since every namespace needs it after a start.
const namesFor = time.Second

// Confirm reads the keyring and the signing-key Secret of a SigningKey, and stores their projection. It reports whether
// that is current: the keyring exists and is not older than the Secret, and no other projection was stored meanwhile.
func (q *QuorumReader) Confirm(ctx context.Context, name string) (bool, error) {
	before := q.Now()
	held, _ := q.Projections.Get(name)
	if held.Foreign {
		return q.confirmTrusted(ctx, name, held)
	}
	keyring, err := keystore.ReadKeyring(ctx, q.API, q.KeyNamespace, name)
	if err != nil || keyring.Object == nil {
		return false, err
	}
	secret, err := keystore.ReadSigningKey(ctx, q.API, q.KeyNamespace, name)
	if err != nil {
		return false, err
	}
	if secret != nil && keystore.Generation(secret) > keyring.Ring.Generation {
		return false, nil
	}
	pending, err := q.pendingRevocations(ctx, name, &keyring.Ring)
	if err != nil {
		return false, err
	}
	pending.KeyIDs = slices.Concat(held.Revoked, keystore.RevokedIn(secret).KeyIDs, pending.KeyIDs)
	fresh := desired.New(&keyring.Ring, rotation.Policy{}, pending, before)
	fresh.Selector, fresh.KeyNamespace, fresh.KeepFor, fresh.Frozen = held.Selector, held.KeyNamespace, held.KeepFor, held.Frozen
	fresh.GatewayEntry = held.GatewayEntry
	return q.Projections.Replace(name, held, fresh), nil
}

// pendingRevocations returns the revocations of the SigningKey, its Revocations and the list of the key namespace,
// which are not in a keyring that cannot be written.
func (q *QuorumReader) pendingRevocations(ctx context.Context, name string, ring *rotation.Keyring) (issuerfiles.Revoked, error) {
	var key keywrightv1alpha1.SigningKey
	if err := q.API.Get(ctx, client.ObjectKey{Name: name}, &key); client.IgnoreNotFound(err) != nil {
		return issuerfiles.Revoked{}, fmt.Errorf("get SigningKey %s: %w", name, err)
	}
	var revocations keywrightv1alpha1.RevocationList
	if err := q.API.List(ctx, &revocations); err != nil {
		return issuerfiles.Revoked{}, fmt.Errorf("list Revocations: %w", err)
	}
	var cm corev1.ConfigMap
	if err := q.API.Get(ctx, client.ObjectKey{Namespace: q.KeyNamespace, Name: contract.JWKSConfigMap}, &cm); client.IgnoreNotFound(err) != nil {
		return issuerfiles.Revoked{}, fmt.Errorf("get ConfigMap %s/%s: %w", q.KeyNamespace, contract.JWKSConfigMap, err)
	}
	policy, _ := desired.PolicyOf(&key)
	unrecorded := ring.Unrecorded(desired.TokenRequestsOf(revocations.Items, name, policy))
	r := desired.RecordsOf(&cm)[name]
	existing := desired.RevokedIn(cm.Data, r, name)
	if r.Generation < ring.Generation { // entries that the keyring lacks have expired
		existing.Ended, existing.AllBefore = nil, time.Time{}
	}
	keyIDs := slices.Concat(key.Spec.RevokedKeyIDs, desired.KeyIDsOf(revocations.Items, name))
	return desired.Pending(keyIDs, unrecorded, policy).Union(existing), nil
}

// Target reads whether a SigningKey selects a namespace, and how long a deselected one keeps its file. If trust ends
// too early, valid tokens are rejected, so neither a cache nor the memory of a paused controller may end it. In doubt,
// the namespace is selected.
func (q *QuorumReader) Target(ctx context.Context, name, namespace string) (selected bool, keepFor time.Duration, err error) {
	if held, _ := q.Projections.Get(name); held.Foreign {
		return q.trustedTarget(ctx, name, namespace)
	}
	var key keywrightv1alpha1.SigningKey
	if err := q.API.Get(ctx, client.ObjectKey{Name: name}, &key); err != nil {
		if apierrors.IsNotFound(err) {
			return true, 0, nil // the signingkey controller decides what a deletion means
		}
		return false, 0, fmt.Errorf("get SigningKey %s: %w", name, err)
	}
	keyring, err := keystore.ReadKeyring(ctx, q.API, q.KeyNamespace, name)
	if err != nil {
		return false, 0, err
	}
	of, err := q.labelsOf(ctx, namespace)
	if err != nil {
		return false, 0, err
	}
	policy, _ := desired.PolicyOf(&key)
	return selects(key.Spec.Distribution.NamespaceSelector, of), policy.KeepFor(&keyring.Ring), nil
}

func (q *QuorumReader) labelsOf(ctx context.Context, namespace string) (labels.Set, error) {
	ns := metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := q.API.Get(ctx, client.ObjectKey{Name: namespace}, &ns); err != nil {
		return nil, fmt.Errorf("get Namespace %s: %w", namespace, err)
	}
	return ns.Labels, nil
}

// selects reports whether a selector matches the labels of a namespace. An invalid selector matches all.
func selects(by *metav1.LabelSelector, of labels.Set) bool {
	selector, err := metav1.LabelSelectorAsSelector(by)
	return err != nil || selector.Matches(of)
}

// Known returns every name that has a SigningKey, a keyring, a signing-key Secret or a TrustedIssuer.
func (q *QuorumReader) Known(ctx context.Context) (map[string]bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.Now()
	if q.names != nil && now.Sub(q.listedAt) < namesFor {
		return q.names, nil
	}
	names, err := q.listNames(ctx)
	if err != nil {
		return nil, err
	}
	q.names, q.listedAt = names, now
	return names, nil
}

func (q *QuorumReader) listNames(ctx context.Context) (map[string]bool, error) {
	names := map[string]bool{}
	for _, kind := range []string{"SigningKeyList", "TrustedIssuerList"} {
		objects := metav1.PartialObjectMetadataList{}
		objects.SetGroupVersionKind(keywrightv1alpha1.GroupVersion().WithKind(kind))
		if err := q.list(ctx, &objects); err != nil {
			return nil, err
		}
		for i := range objects.Items {
			names[objects.Items[i].Name] = true
		}
	}
	secrets := metav1.PartialObjectMetadataList{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	if err := q.list(ctx, &secrets, client.InNamespace(q.KeyNamespace)); err != nil {
		return nil, err
	}
	for i := range secrets.Items {
		if name, ok := keystore.SigningKeyOf(secrets.Items[i].Name); ok {
			names[name] = true
		}
	}
	return names, nil
}

func (q *QuorumReader) list(ctx context.Context, list *metav1.PartialObjectMetadataList, opts ...client.ListOption) error {
	if err := q.API.List(ctx, list, opts...); err != nil {
		return fmt.Errorf("list %s: %w", list.Kind, err)
	}
	return nil
}
