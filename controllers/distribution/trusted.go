package distribution

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/fetched"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/keystore"
)

// confirmTrusted reads a TrustedIssuer and its entry of the fetcher, and stores their projection.
func (q *QuorumReader) confirmTrusted(ctx context.Context, name string, held desired.Projection) (bool, error) {
	before := q.Now()
	var ti keywrightv1alpha1.TrustedIssuer
	if err := q.API.Get(ctx, client.ObjectKey{Name: name}, &ti); err != nil {
		return false, client.IgnoreNotFound(err) // the trustedissuer controller decides what a deletion means
	}
	if taken, err := q.nameTaken(ctx, name); err != nil || taken {
		return false, err
	}
	entry, err := Fetched(ctx, q.API, q.KeyNamespace, name)
	if err != nil {
		return false, err
	}
	fresh := desired.OfTrustedIssuer(&ti, entry, desired.KeyIDsOfSigningKeys(q.Projections.All()), q.KeyNamespace, before).Projection
	return q.Projections.Replace(name, held, fresh) && !fresh.Frozen, nil
}

// nameTaken reports whether a SigningKey has the name of a TrustedIssuer, or retained Secrets of one.
func (q *QuorumReader) nameTaken(ctx context.Context, name string) (bool, error) {
	err := q.API.Get(ctx, client.ObjectKey{Name: name}, &keywrightv1alpha1.SigningKey{})
	if err == nil {
		return true, nil
	} else if !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("get SigningKey %s: %w", name, err)
	}
	return keystore.Has(ctx, q.API, q.KeyNamespace, name)
}

// Fetched returns the entry of the fetcher for a TrustedIssuer, an empty one if it is missing or invalid.
func Fetched(ctx context.Context, from client.Reader, keyNamespace, name string) (fetched.Entry, error) {
	var cm corev1.ConfigMap
	err := from.Get(ctx, client.ObjectKey{Namespace: keyNamespace, Name: contract.FetchedConfigMap}, &cm)
	if client.IgnoreNotFound(err) != nil {
		return fetched.Entry{}, fmt.Errorf("get ConfigMap %s/%s: %w", keyNamespace, contract.FetchedConfigMap, err)
	}
	entry, err := fetched.Decode(cm.Data[name+fetched.Suffix])
	if err != nil {
		return fetched.Entry{}, nil //nolint:nilerr // an invalid entry is like a missing one
	}
	return entry, nil
}

// trustedTarget is Target for a TrustedIssuer.
func (q *QuorumReader) trustedTarget(ctx context.Context, name, namespace string) (selected bool, keepFor time.Duration, err error) {
	var ti keywrightv1alpha1.TrustedIssuer
	if err := q.API.Get(ctx, client.ObjectKey{Name: name}, &ti); err != nil {
		if apierrors.IsNotFound(err) {
			return true, 0, nil // the trustedissuer controller decides what a deletion means
		}
		return false, 0, fmt.Errorf("get TrustedIssuer %s: %w", name, err)
	}
	of, err := q.labelsOf(ctx, namespace)
	if err != nil {
		return false, 0, err
	}
	return selects(ti.Spec.Distribution.NamespaceSelector, of), desired.TrustedKeepFor, nil
}
