package controllers

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/controllers/wiring"
)

// cacheOptions returns which objects are cached, and what of them: no private keys, and only the ConfigMaps of the
// reserved name. Equal maps share memory.
func cacheOptions(keyNamespace string) cache.Options {
	shared := &sharer{}
	ours := labels.SelectorFromSet(labels.Set{contract.ManagedByLabel: contract.ManagedBy})
	return cache.Options{
		NewInformer: newUnindexed, DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.ConfigMap{}: {
				Field: fields.OneTermEqualSelector("metadata.name", contract.JWKSConfigMap), Transform: shared.configMap,
			},
			&corev1.Secret{}: {Namespaces: map[string]cache.Config{keyNamespace: {LabelSelector: ours}}},
			&metav1.PartialObjectMetadata{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			}: {Transform: shared.namespace},
		},
	}
}

// newFetchedCache returns a cache of the one ConfigMap of the fetcher.
func newFetchedCache(mgr ctrl.Manager, keyNamespace string) (cache.Cache, error) {
	return newConfigMapCache(mgr, keyNamespace, cache.ByObject{Field: fields.OneTermEqualSelector("metadata.name", contract.FetchedConfigMap)})
}

// newCACache returns a cache of the ConfigMaps with the label for CAs of issuers.
func newCACache(mgr ctrl.Manager, keyNamespace string) (cache.Cache, error) {
	return newConfigMapCache(mgr, keyNamespace, cache.ByObject{Label: labels.SelectorFromSet(labels.Set{contract.RoleLabel: contract.RoleIssuerCA})})
}

// newConfigMapCache returns a cache of some ConfigMaps of the key namespace, since the cache of the manager has one
// selector for all ConfigMaps. The manager starts it.
func newConfigMapCache(mgr ctrl.Manager, keyNamespace string, which cache.ByObject) (cache.Cache, error) {
	c, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), NewInformer: newInformer, DefaultTransform: cache.TransformStripManagedFields(),
		DefaultNamespaces: map[string]cache.Config{keyNamespace: {}},
		ByObject:          map[client.Object]cache.ByObject{&corev1.ConfigMap{}: which},
	})
	if err != nil {
		return nil, fmt.Errorf("create a cache of ConfigMaps of the key namespace: %w", err)
	}
	return c, mgr.Add(beforeControllers{c})
}

// beforeControllers makes a manager start a cache together with its own, before any controller.
type beforeControllers struct{ cache.Cache }

// GetCache marks the type as a cache for the manager.
func (c beforeControllers) GetCache() cache.Cache { return c.Cache }

// newInformer returns an informer that reconnects soon after an outage, and that is ready without a delay.
func newInformer(lw toolscache.ListerWatcher, example runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	return wiring.Prompt{SharedIndexInformer: toolscache.NewSharedIndexInformer(wiring.Reconnecting(lw), example, resync, indexers)}
}

// newUnindexed returns an informer like newInformer. For Namespaces and ConfigMaps, it has no index by namespace: nothing
// lists those of one namespace, and the index would take about 1 KB for each.
func newUnindexed(lw toolscache.ListerWatcher, example runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	_, configMaps := example.(*corev1.ConfigMap)
	if configMaps || example.GetObjectKind().GroupVersionKind().Kind == "Namespace" {
		indexers = maps.Clone(indexers)
		delete(indexers, toolscache.NamespaceIndex)
	}
	return newInformer(lw, example, resync, indexers)
}

// sharer lets equal maps share memory.
type sharer struct {
	maps wiring.Shared[map[string]string]
}

// configMap lets the ConfigMaps of all namespaces share their data, which is nearly always the same. So the cache grows
// with the number of namespaces, but not with the size of the key sets.
func (s *sharer) configMap(in any) (any, error) {
	if cm, ok := in.(*corev1.ConfigMap); ok {
		cm.ManagedFields = nil
		cm.Data, cm.Annotations, cm.Labels = s.one(cm.Data), s.one(cm.Annotations), s.one(cm.Labels)
	}
	return in, nil
}

// namespace removes the metadata of a namespace that is not used.
func (s *sharer) namespace(in any) (any, error) {
	if m, ok := in.(*metav1.PartialObjectMetadata); ok {
		m.ManagedFields, m.Annotations, m.OwnerReferences = nil, nil, nil
	}
	return in, nil
}

// one returns the first map that is equal to m.
func (s *sharer) one(m map[string]string) map[string]string {
	var text strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		for _, part := range [2]string{k, m[k]} {
			text.WriteString(strconv.Itoa(len(part)))
			text.WriteByte(' ')
			text.WriteString(part)
		}
	}
	if len(m) == 0 {
		return m
	}
	return s.maps.One(text.String(), m)
}
