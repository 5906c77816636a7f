package controllers

import (
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
)

// cacheOptions says what is watched, and what is kept of it: no private key, no ConfigMap but ours, and of equal texts one.
func cacheOptions(keyNamespace string) cache.Options {
	shared := newSharer()
	ours := labels.SelectorFromSet(labels.Set{contract.ManagedByLabel: contract.ManagedBy})
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
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

// sharer lets equal texts share their bytes.
type sharer struct {
	mu    sync.Mutex
	known map[string]string
}

const (
	// maxShared bounds how many texts are remembered, far above what one cluster has at a time.
	maxShared = 512
	// longestShared is the longest text that is remembered, in bytes: longer ones are planted, and do not stay.
	longestShared = 64 << 10
)

func newSharer() *sharer { return &sharer{known: map[string]string{}} }

// configMap lets the ConfigMaps of all namespaces share what they hold. It is nearly always the same, so the cache does not
// grow with the size of the key sets, only with the number of namespaces.
func (s *sharer) configMap(in any) (any, error) {
	if cm, ok := in.(*corev1.ConfigMap); ok {
		cm.ManagedFields = nil
		cm.Data, cm.Annotations, cm.Labels = s.texts(cm.Data), s.texts(cm.Annotations), s.texts(cm.Labels)
	}
	return in, nil
}

// namespace keeps of a namespace what is asked of it: its labels.
func (s *sharer) namespace(in any) (any, error) {
	if m, ok := in.(*metav1.PartialObjectMetadata); ok {
		m.ManagedFields, m.Annotations, m.OwnerReferences = nil, nil, nil
		m.Labels = s.texts(m.Labels)
	}
	return in, nil
}

func (s *sharer) texts(in map[string]string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in == nil {
		return nil
	}
	out := make(map[string]string, len(in))
	for k, v := range in {
		out[s.one(k)] = s.one(v)
	}
	return out
}

func (s *sharer) one(text string) string {
	if len(text) > longestShared {
		return text
	}
	if known, ok := s.known[text]; ok {
		return known
	}
	if len(s.known) >= maxShared {
		clear(s.known)
	}
	s.known[text] = text
	return text
}
