package handover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/fetched"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/fetcher/source"
)

// Handover writes the ConfigMap of the fetched keys, with one entry per TrustedIssuer.
type Handover struct {
	// Client reads TrustedIssuers from the cache. It reads the ConfigMap from the API server, and writes it.
	Client client.Client
	// KeyNamespace is the namespace of the ConfigMap.
	KeyNamespace string

	// mu serializes writes, since all entries are in one object.
	mu sync.Mutex
}

// maxBytes limits the entries of the ConfigMap: 1 MiB, less what names and metadata take up.
const maxBytes = 1<<20 - 64<<10

// Of returns the entry of a TrustedIssuer, an empty one if there is none with its UID.
func (h *Handover) Of(ctx context.Context, ti *keywrightv1alpha1.TrustedIssuer) (fetched.Entry, error) {
	cm, err := h.read(ctx)
	if err != nil {
		return fetched.Entry{}, err
	}
	entry, err := fetched.Decode(cm.Data[ti.Name+fetched.Suffix])
	if err != nil || entry.UID != string(ti.UID) {
		return fetched.Entry{}, nil //nolint:nilerr // it will be written again
	}
	return entry, nil
}

func (h *Handover) read(ctx context.Context) (*corev1.ConfigMap, error) {
	var cm corev1.ConfigMap
	err := h.Client.Get(ctx, client.ObjectKey{Namespace: h.KeyNamespace, Name: contract.FetchedConfigMap}, &cm)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("get ConfigMap %s: %w", contract.FetchedConfigMap, err)
	}
	return &cm, nil
}

// Put writes an entry if it has changes, or if the existing one was recorded long ago.
func (h *Handover) Put(ctx context.Context, ti *keywrightv1alpha1.TrustedIssuer, was, next fetched.Entry) error {
	if equalContent(was, next) && next.FetchedAt.Sub(was.FetchedAt) < recordEvery(ti) {
		return nil
	}
	text, err := next.Encode()
	if err != nil {
		return err
	}
	return h.change(ctx, func(data map[string]string) { data[ti.Name+fetched.Suffix] = text })
}

// Prune removes the entries without a TrustedIssuer.
func (h *Handover) Prune(ctx context.Context) error {
	return h.change(ctx, func(map[string]string) {})
}

// change edits the entries in one write, and removes those without a TrustedIssuer.
func (h *Handover) change(ctx context.Context, edit func(map[string]string)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	cm, err := h.read(ctx)
	if err != nil {
		return err
	}
	wanted, err := h.wanted(ctx)
	if err != nil {
		return err
	}
	data := maps.Clone(cm.Data)
	if data == nil {
		data = map[string]string{}
	}
	edit(data)
	maps.DeleteFunc(data, func(entry, _ string) bool { return !wanted[entry] })
	size := 0
	for _, text := range data {
		size += len(text)
	}
	switch {
	case maps.Equal(data, cm.Data):
		return nil
	case size > maxBytes:
		return fmt.Errorf("ConfigMap %s has room for %d bytes, but the keys of all TrustedIssuers have %d: delete TrustedIssuers",
			contract.FetchedConfigMap, maxBytes, size)
	case cm.UID == "":
		return h.create(ctx, data)
	}
	cm.Data, cm.BinaryData, cm.ManagedFields = data, nil, nil
	err = h.Client.Update(ctx, cm)
	if apierrors.IsConflict(err) {
		return errors.New("ConfigMap " + contract.FetchedConfigMap + " changed since it was read")
	}
	return err
}

// create creates the ConfigMap by an apply, since RBAC can then grant it by name.
func (h *Handover) create(ctx context.Context, data map[string]string) error {
	apply := applycorev1.ConfigMap(contract.FetchedConfigMap, h.KeyNamespace).
		WithLabels(map[string]string{contract.ManagedByLabel: contract.ManagedBy}).WithData(data)
	return h.Client.Apply(ctx, apply, client.FieldOwner("keywright-fetcher"))
}

// wanted returns the names of the entries of all TrustedIssuers whose keys are fetched.
func (h *Handover) wanted(ctx context.Context) (map[string]bool, error) {
	var all keywrightv1alpha1.TrustedIssuerList
	if err := h.Client.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list TrustedIssuers: %w", err)
	}
	wanted := map[string]bool{}
	for i := range all.Items {
		if all.Items[i].Spec.Keys.Inline == "" {
			wanted[all.Items[i].Name+fetched.Suffix] = true
		}
	}
	return wanted, nil
}

// ConfigMapEntry implements source.Cluster.
func (h *Handover) ConfigMapEntry(ctx context.Context, name, key string) (string, error) {
	return source.ConfigMapEntry(ctx, h.Client, h.KeyNamespace, name, key)
}
