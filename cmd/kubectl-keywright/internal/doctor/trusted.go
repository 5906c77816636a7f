package doctor

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// trustedFindings returns the TrustedIssuers that have no keys, or old ones.
func (s *snapshot) trustedFindings() []string {
	var all []string
	for i := range s.trusted.Items {
		ti := &s.trusted.Items[i]
		ready := meta.FindStatusCondition(ti.Status.Conditions, keywrightv1alpha1.ConditionReady)
		switch {
		case ready == nil || ready.Status == metav1.ConditionUnknown:
			all = append(all, fmt.Sprintf("TrustedIssuer %s: no controller has reconciled it: check that one runs", ti.Name))
		case ready.Reason == keywrightv1alpha1.ReasonNotFetched || ready.Reason == keywrightv1alpha1.ReasonNoUsableKey || ready.Reason == keywrightv1alpha1.ReasonNameTaken:
			all = append(all, fmt.Sprintf("TrustedIssuer %s: %s", ti.Name, ready.Message))
		}
		if stale := meta.FindStatusCondition(ti.Status.Conditions, keywrightv1alpha1.ConditionStale); stale != nil && stale.Status == metav1.ConditionTrue {
			all = append(all, fmt.Sprintf("TrustedIssuer %s: %s", ti.Name, stale.Message))
		}
	}
	return all
}

// missingEntries returns entries of the ConfigMap that a pod mounts and that are not written: the pod does not start, or its file never
// changes.
func (s *snapshot) missingEntries(pod *corev1.Pod) []string {
	written := map[string]bool{contract.GatewayFile: true}
	withoutCA := map[string]string{}
	for i := range s.keys.Items {
		key := &s.keys.Items[i]
		written[key.Name+contract.JWKSSuffix], written[key.Name+contract.RevokedSuffix] = true, true
		if ca := key.Name + contract.CASuffix; key.Spec.Distribution.CAConfigMap != nil {
			written[ca] = true
		} else {
			withoutCA[ca] = key.Name
		}
	}
	for i := range s.trusted.Items {
		written[s.trusted.Items[i].Name+contract.JWKSSuffix] = true
	}
	var all []string
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		for _, item := range itemsOf(v) {
			name := strings.TrimSpace(item.Key)
			switch key, without := withoutCA[name]; {
			case written[name] && s.lacks(pod.Namespace, name):
				all = append(all, fmt.Sprintf("volume %s names the entry %s, which the ConfigMap %s of its namespace does not have: "+
					"select the namespace, or remove the entry", v.Name, item.Key, contract.JWKSConfigMap))
			case written[name]:
			case without:
				all = append(all, fmt.Sprintf("volume %s names the entry %s, which SigningKey %s does not have: set its distribution.caConfigMap", v.Name, item.Key, key))
			default:
				all = append(all, fmt.Sprintf("volume %s names the entry %s, which belongs to no SigningKey and no TrustedIssuer: correct the name", v.Name, item.Key))
			}
		}
	}
	return all
}

// lacks reports whether a namespace has the ConfigMap without an entry.
func (s *snapshot) lacks(namespace, entry string) bool {
	return slices.ContainsFunc(s.configMaps.Items, func(cm corev1.ConfigMap) bool {
		_, has := cm.Data[entry]
		return cm.Namespace == namespace && !has
	})
}

// itemsOf returns the entries of the ConfigMap of public keys that a volume names, none if it mounts all.
func itemsOf(v *corev1.Volume) []corev1.KeyToPath {
	if v.ConfigMap != nil && v.ConfigMap.Name == contract.JWKSConfigMap {
		return v.ConfigMap.Items
	}
	if v.Projected == nil {
		return nil
	}
	var items []corev1.KeyToPath
	for _, source := range v.Projected.Sources {
		if source.ConfigMap != nil && source.ConfigMap.Name == contract.JWKSConfigMap {
			items = append(items, source.ConfigMap.Items...)
		}
	}
	return items
}
