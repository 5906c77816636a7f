package istio

import (
	"maps"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// Resource returns the resource of RequestAuthentications. Istio has this version since 1.22.
func Resource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "security.istio.io", Version: "v1", Resource: "requestauthentications"}
}

const kind = "RequestAuthentication"

// NameOf returns the name of the RequestAuthentications of a SigningKey.
func NameOf(signingKey string) string { return contract.RequestAuthenticationPrefix + signingKey }

// signingKeyOf is the inverse of NameOf.
func signingKeyOf(name string) (string, bool) {
	return strings.CutPrefix(name, contract.RequestAuthenticationPrefix)
}

// RequestAuthentication is an existing RequestAuthentication. It must not be changed.
type RequestAuthentication struct{ object *unstructured.Unstructured }

// SigningKey returns the name of its SigningKey.
func (r *RequestAuthentication) SigningKey() string {
	name, _ := signingKeyOf(r.object.GetName())
	return name
}

// Namespace returns its namespace.
func (r *RequestAuthentication) Namespace() string { return r.object.GetNamespace() }

// Version returns a text that differs for each state of the object.
func (r *RequestAuthentication) Version() string {
	return string(r.object.GetUID()) + " " + r.object.GetResourceVersion()
}

// Generation returns its metadata.generation, which each change of the spec increases.
func (r *RequestAuthentication) Generation() int64 { return r.object.GetGeneration() }

// KeySet returns the JWKS that proxies verify with, empty if it has none.
func (r *RequestAuthentication) KeySet() string {
	if r == nil {
		return ""
	}
	text, _ := r.rule()[fieldKeySet].(string)
	return text
}

// Trusts reports whether it has a key other than a tombstone.
func (r *RequestAuthentication) Trusts() bool { return trusts(r.KeySet()) }

// Is reports whether its spec is that of an output with a key set.
func (r *RequestAuthentication) Is(output *keywrightv1alpha1.IstioOutput, keySet string) bool {
	return r != nil && reflect.DeepEqual(r.object.Object[fieldSpec], specOf(output, keySet))
}

// The fields that are written.
const (
	fieldSpec      = "spec"
	fieldRules     = "jwtRules"
	fieldIssuer    = "issuer"
	fieldAudiences = "audiences"
	fieldKeySet    = "jwks"
	// fieldForward forwards the token to services, which also check revocation lists.
	fieldForward = "forwardOriginalToken"
)

// rule returns the first rule, nil if there is none.
func (r *RequestAuthentication) rule() map[string]any {
	rules, _, _ := unstructured.NestedFieldNoCopy(r.object.Object, fieldSpec, fieldRules)
	all, _ := rules.([]any)
	if len(all) == 0 {
		return nil
	}
	first, _ := all[0].(map[string]any)
	return first
}

// specOf returns the spec for an output. It has no selector, since it applies to all workloads of the namespace.
func specOf(output *keywrightv1alpha1.IstioOutput, keySet string) map[string]any {
	audiences := make([]any, len(output.Audiences))
	for i, a := range output.Audiences {
		audiences[i] = a
	}
	return ofRule(map[string]any{fieldIssuer: output.Issuer, fieldAudiences: audiences, fieldKeySet: keySet, fieldForward: true})
}

func ofRule(rule map[string]any) map[string]any {
	return map[string]any{fieldRules: []any{rule}}
}

// withKeySet returns the existing spec with another key set, for a SigningKey that no longer exists.
func (r *RequestAuthentication) withKeySet(keySet string) map[string]any {
	rule := maps.Clone(r.rule())
	if rule == nil {
		return nil
	}
	rule[fieldKeySet] = keySet
	return ofRule(rule)
}

// newObject returns the object that replaces the existing one, which may be nil. It keeps labels and annotations of
// other clients, as in the ConfigMap, and removes owner references and finalizers.
func newObject(namespace, name string, existing *RequestAuthentication, spec map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{fieldSpec: spec}}
	o.SetAPIVersion(Resource().GroupVersion().String())
	o.SetKind(kind)
	o.SetNamespace(namespace)
	o.SetName(name)
	labels := map[string]string{}
	if existing != nil {
		if of := existing.object.GetLabels(); of != nil {
			labels = maps.Clone(of)
		}
		o.SetAnnotations(existing.object.GetAnnotations())
		o.SetUID(existing.object.GetUID())
		o.SetResourceVersion(existing.object.GetResourceVersion())
	}
	labels[contract.ManagedByLabel] = contract.ManagedBy
	o.SetLabels(labels)
	return o
}

// bare reports whether it has no owner references and no finalizers, but the label of Keywright.
func (r *RequestAuthentication) bare() bool {
	return len(r.object.GetOwnerReferences()) == 0 && len(r.object.GetFinalizers()) == 0 && r.object.GetLabels()[contract.ManagedByLabel] == contract.ManagedBy
}

// preconditions returns options for a deletion that fails if the object has changed.
func (r *RequestAuthentication) preconditions() metav1.DeleteOptions {
	uid, version := r.object.GetUID(), r.object.GetResourceVersion()
	return metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}}
}

// trusts reports whether a key set has a key other than a tombstone.
func trusts(keySet string) bool { return keySet != "" && !issuerfiles.TrustsNobody(keySet) }
