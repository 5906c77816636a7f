// Package v1alpha1 is version v1alpha1 of the keywright.dev API: the SigningKey.
//
// +kubebuilder:object:generate=true
// +groupName=keywright.dev
package v1alpha1
