// Package v1alpha1 contains version v1alpha1 of the keywright.dev API: SigningKey, Revocation and TrustedIssuer.
//
// +kubebuilder:object:generate=true
// +groupName=keywright.dev
package v1alpha1
