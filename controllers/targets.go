package controllers

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/rotation"
)

// targets is what the cache shows of the namespaces of one SigningKey.
type targets struct {
	// selector is nil when it is invalid.
	selector        labels.Selector
	invalidSelector error
	selected        int
	inSync          int
	kept            int
	// holders counts the namespaces whose ConfigMap has this SigningKey's file, selected or not.
	holders int
	// behind are the targets that do not hold the current keys, sorted.
	behind []string
	// lagging counts for each published key the awaited files that lack it: those of every target that has a ConfigMap and
	// of every namespace that keeps its file, Terminating ones aside.
	lagging map[string]int
	// holding counts for each revoked key the files that still hold it.
	holding map[string]int
}

// observeTargets reads the cache: namespaces by their metadata, and the ConfigMaps of the one reserved name.
func observeTargets(
	ctx context.Context, c client.Reader, key *keywrightv1alpha1.SigningKey, ring *rotation.Keyring,
) (targets, error) {
	t := targets{lagging: map[string]int{}, holding: map[string]int{}}
	t.selector, t.invalidSelector = metav1.LabelSelectorAsSelector(key.Spec.Distribution.NamespaceSelector)
	var namespaces metav1.PartialObjectMetadataList
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := c.List(ctx, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return t, fmt.Errorf("list namespaces: %w", err)
	}
	var configMaps corev1.ConfigMapList
	if err := c.List(ctx, &configMaps, client.UnsafeDisableDeepCopy); err != nil {
		return t, fmt.Errorf("list ConfigMaps %s: %w", contract.JWKSConfigMap, err)
	}
	files := make(map[string]*corev1.ConfigMap, len(configMaps.Items))
	for i := range configMaps.Items {
		if configMaps.Items[i].Name == contract.JWKSConfigMap {
			files[configMaps.Items[i].Namespace] = &configMaps.Items[i]
		}
	}
	want := wanted{file: key.Name + contract.JWKSSuffix, content: string(ring.JWKS()), ids: ring.PublishedIDs(), files: parsed{}}
	for i := range ring.Revoked {
		want.revoked = append(want.revoked, ring.Revoked[i].ID)
	}
	for i := range namespaces.Items {
		t.look(&namespaces.Items[i], files[namespaces.Items[i].Name], &want)
	}
	slices.Sort(t.behind)
	return t, nil
}

// wanted is what every file of one SigningKey is compared with.
type wanted struct {
	file, content string
	ids, revoked  []string
	files         parsed
}

// look counts one namespace.
func (t *targets) look(ns *metav1.PartialObjectMetadata, cm *corev1.ConfigMap, want *wanted) {
	if ns.DeletionTimestamp != nil {
		return
	}
	var content string
	var has bool
	if cm != nil {
		content, has = cm.Data[want.file]
	}
	if has {
		t.holders++
	}
	selected := t.selector != nil && t.selector.Matches(labels.Set(ns.Labels))
	switch {
	case selected:
		t.selected++
	case has:
		t.kept++
	default:
		return
	}
	if has && content == want.content {
		if selected {
			t.inSync++
		}
		return
	}
	t.behind = append(t.behind, ns.Name)
	if cm == nil {
		return // reported, not awaited: nobody there can have mounted it
	}
	held := want.files.keyIDs(content)
	for _, id := range held {
		if slices.Contains(want.revoked, id) {
			t.holding[id]++
		}
	}
	for _, id := range want.ids {
		if !slices.Contains(held, id) {
			t.lagging[id]++
		}
	}
}
