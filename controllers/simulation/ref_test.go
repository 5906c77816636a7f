package simulation

import (
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// The kinds in the store.
const (
	kindSigningKey = "SigningKey"
	kindRevocation = "Revocation"
	kindTrusted    = "TrustedIssuer"
	kindNamespace  = "Namespace"
	kindSecret     = "Secret"
	kindConfigMap  = "ConfigMap"
	kindFetched    = "ConfigMap of the fetcher" // which a process has a cache of its own for
	kindPod        = "Pod"
)

// ref identifies an object.
type ref struct{ kind, namespace, name string }

func (r ref) String() string {
	if r.namespace == "" {
		return r.kind + " " + r.name
	}
	return r.kind + " " + r.namespace + "/" + r.name
}

func kindOf(o client.Object) string {
	switch o.(type) {
	case *keywrightv1alpha1.SigningKey:
		return kindSigningKey
	case *keywrightv1alpha1.Revocation:
		return kindRevocation
	case *keywrightv1alpha1.TrustedIssuer:
		return kindTrusted
	case *corev1.Namespace:
		return kindNamespace
	case *corev1.Secret:
		return kindSecret
	case *corev1.ConfigMap:
		if o.GetName() == contract.FetchedConfigMap {
			return kindFetched
		}
		return kindConfigMap
	case *corev1.Pod:
		return kindPod
	default:
		return o.GetObjectKind().GroupVersionKind().Kind
	}
}

// refFor returns the ref for a key and a kind of object.
func refFor(into client.Object, key client.ObjectKey) ref {
	r := ref{kindOf(into), key.Namespace, key.Name}
	if r.kind == kindConfigMap && key.Name == contract.FetchedConfigMap {
		r.kind = kindFetched
	}
	return r
}

func refOf(o client.Object) ref { return ref{kindOf(o), o.GetNamespace(), o.GetName()} }

func (r ref) resource() schema.GroupResource {
	switch r.kind {
	case kindSigningKey:
		return schema.GroupResource{Group: "keywright.dev", Resource: "signingkeys"}
	case kindRevocation:
		return schema.GroupResource{Group: "keywright.dev", Resource: "revocations"}
	case kindTrusted:
		return schema.GroupResource{Group: "keywright.dev", Resource: "trustedissuers"}
	case kindNamespace:
		return schema.GroupResource{Resource: "namespaces"}
	case kindSecret:
		return schema.GroupResource{Resource: "secrets"}
	case kindConfigMap, kindFetched:
		return schema.GroupResource{Resource: "configmaps"}
	default:
		return schema.GroupResource{Resource: "pods"}
	}
}

func (r ref) invalid(path, message string) error {
	gk := schema.GroupKind{Group: r.resource().Group, Kind: r.kind}
	return apierrors.NewInvalid(gk, r.name, field.ErrorList{field.Forbidden(field.NewPath(path), message)})
}
