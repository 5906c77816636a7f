package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/keywright/keywright/api/contract"
)

// GroupVersion returns the group and version of this package's types.
func GroupVersion() schema.GroupVersion {
	return schema.GroupVersion{Group: contract.Group, Version: "v1alpha1"}
}

// AddToScheme registers this package's types.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion(), &SigningKey{}, &SigningKeyList{}, &Revocation{}, &RevocationList{}, &TrustedIssuer{}, &TrustedIssuerList{})
	metav1.AddToGroupVersion(s, GroupVersion())
	return nil
}
