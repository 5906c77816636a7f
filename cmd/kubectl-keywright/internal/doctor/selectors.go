package doctor

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// selectorFindings returns the SigningKeys that select no namespace.
func (s *snapshot) selectorFindings() (findings []string) {
	for i := range s.keys.Items {
		key := &s.keys.Items[i]
		by := key.Spec.Distribution.NamespaceSelector
		selector, err := metav1.LabelSelectorAsSelector(by)
		switch {
		case err != nil:
			findings = append(findings, fmt.Sprintf("SigningKey %s: its distribution.namespaceSelector is invalid, and selects nothing: %v", key.Name, err))
		case key.DeletionTimestamp == nil && !slices.ContainsFunc(s.namespaces.Items, func(ns corev1.Namespace) bool { return selector.Matches(labels.Set(ns.Labels)) }):
			findings = append(findings, fmt.Sprintf("SigningKey %s: its distribution.namespaceSelector (%s) selects no namespace: label those whose pods verify tokens",
				key.Name, metav1.FormatLabelSelector(by)))
		}
	}
	return findings
}

// selected reports whether a namespace is a target of any SigningKey or TrustedIssuer: the key namespace is one of each.
func (s *snapshot) selected(ns *corev1.Namespace) bool {
	if slices.ContainsFunc(s.trusted.Items, func(ti keywrightv1alpha1.TrustedIssuer) bool {
		selector, err := metav1.LabelSelectorAsSelector(ti.Spec.Distribution.NamespaceSelector)
		return err == nil && selector.Matches(labels.Set(ns.Labels))
	}) {
		return true
	}
	return slices.ContainsFunc(s.keys.Items, func(key keywrightv1alpha1.SigningKey) bool {
		selector, err := metav1.LabelSelectorAsSelector(key.Spec.Distribution.NamespaceSelector)
		return key.Annotations[contract.KeyNamespaceAnnotation] == ns.Name || err == nil && selector.Matches(labels.Set(ns.Labels))
	})
}
