package controllers

import (
	"fmt"
	"maps"
	"slices"
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

// cacheOptions says what is watched, and what is kept of it: no private key, no ConfigMap but ours, and of equal maps one.
func cacheOptions(keyNamespace string) cache.Options {
	shared := &sharer{}
	ours := labels.SelectorFromSet(labels.Set{contract.ManagedByLabel: contract.ManagedBy})
	return cache.Options{
		NewInformer: newInformer, DefaultTransform: cache.TransformStripManagedFields(),
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

// newCACache returns a cache of the ConfigMaps that SigningKeys may take the CA of an issuer from.
func newCACache(mgr ctrl.Manager, keyNamespace string) (cache.Cache, error) {
	return newConfigMapCache(mgr, keyNamespace, cache.ByObject{Label: labels.SelectorFromSet(labels.Set{contract.RoleLabel: contract.RoleIssuerCA})})
}

// newConfigMapCache returns a cache of some ConfigMaps of the key namespace: that of a manager has one selector for all ConfigMaps. The manager
// starts it.
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

// beforeControllers lets a manager start a cache with its own, before any controller.
type beforeControllers struct{ cache.Cache }

// GetCache is what a manager knows caches by.
func (c beforeControllers) GetCache() cache.Cache { return c.Cache }

// newInformer returns an informer that does not pause after an outage.
func newInformer(lw toolscache.ListerWatcher, example runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	return toolscache.NewSharedIndexInformer(wiring.Reconnecting(lw), example, resync, indexers)
}

// sharer lets equal maps be one map.
type sharer struct {
	maps wiring.Shared[map[string]string]
}

// configMap lets the ConfigMaps of all namespaces share what they hold. It is nearly always the same, so the cache does not
// grow with the size of the key sets, only with the number of namespaces.
func (s *sharer) configMap(in any) (any, error) {
	if cm, ok := in.(*corev1.ConfigMap); ok {
		cm.ManagedFields = nil
		cm.Data, cm.Annotations, cm.Labels = s.one(cm.Data), s.one(cm.Annotations), s.one(cm.Labels)
	}
	return in, nil
}

// namespace keeps of a namespace what is asked of it: its labels.
func (s *sharer) namespace(in any) (any, error) {
	if m, ok := in.(*metav1.PartialObjectMetadata); ok {
		m.ManagedFields, m.Annotations, m.OwnerReferences = nil, nil, nil
	}
	return in, nil
}

// one returns the first map that was equal to m.
func (s *sharer) one(m map[string]string) map[string]string {
	var text strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&text, "%d %d %s%s", len(k), len(m[k]), k, m[k])
	}
	if len(m) == 0 {
		return m
	}
	return s.maps.One(text.String(), m)
}
