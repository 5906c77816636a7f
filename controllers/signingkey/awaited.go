package signingkey

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/controllers/desired"
)

// pastKeepFor reports whether a namespace has been deselected for longer than keepFor. Rotations then no longer wait
// for it.
func (t *targets) pastKeepFor(namespace string, cm *corev1.ConfigMap, selected bool, want *wanted) bool {
	since := want.tracker.DeselectedSince(want.name, namespace, selected || t.selector == nil)
	if since.IsZero() {
		return false
	}
	if at := desired.RecordsOf(cm)[want.name].DeselectedAt; at != nil && at.Before(since) {
		since = *at
	}
	return !want.now.Before(since.Add(want.keepFor + time.Second))
}

// await records whether a rotation waits for a target. It does not wait for one that never had a ConfigMap, since no
// pod there can have mounted it.
func (t *targets) await(namespace string, cm *corev1.ConfigMap, proxies proxyKeys, inSync, past bool, want *wanted) {
	awaited := want.tracker.Awaits(want.name, namespace, inSync, want.delay)
	switch {
	case !awaited:
		t.leftBehind = append(t.leftBehind, namespace)
		return
	case past || cm == nil && proxies.existing == nil && !want.tracker.WasLost(want.name, namespace):
		return
	}
	var held []string
	if cm != nil {
		want.versions = append(want.versions, namespace+" "+string(cm.UID)+" "+cm.ResourceVersion)
		held = want.parsed.Of(cm.Data[want.name+contract.JWKSSuffix])
	}
	if proxies.existing != nil {
		want.versions = append(want.versions, namespace+" proxies "+proxies.existing.Version())
	}
	lacks := false
	for _, id := range want.ids {
		if !slices.Contains(held, id) || proxies.lacks(id, want.parsed) {
			t.lagging[id]++
			lacks = true
		}
	}
	if lacks {
		t.lacking = append(t.lacking, namespace)
	}
}
