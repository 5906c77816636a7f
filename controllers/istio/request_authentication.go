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

// Resource is that of RequestAuthentications, which Istio has had in this version since 1.22.
func Resource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "security.istio.io", Version: "v1", Resource: "requestauthentications"}
}

const kind = "RequestAuthentication"

// NameOf returns the name of the RequestAuthentications of a SigningKey.
func NameOf(signingKey string) string { return contract.RequestAuthenticationPrefix + signingKey }

// signingKeyOf is the opposite of NameOf.
func signingKeyOf(name string) (string, bool) {
	return strings.CutPrefix(name, contract.RequestAuthenticationPrefix)
}

// RequestAuthentication is one that stands. It is not changed.
type RequestAuthentication struct{ object *unstructured.Unstructured }

// SigningKey is the name of the SigningKey that it belongs to.
func (r *RequestAuthentication) SigningKey() string {
	name, _ := signingKeyOf(r.object.GetName())
	return name
}

// Namespace is where it stands.
func (r *RequestAuthentication) Namespace() string { return r.object.GetNamespace() }

// Version tells one state of it from another.
func (r *RequestAuthentication) Version() string {
	return string(r.object.GetUID()) + " " + r.object.GetResourceVersion()
}

// Generation is raised by each change of its spec.
func (r *RequestAuthentication) Generation() int64 { return r.object.GetGeneration() }

// KeySet is the JWKS that proxies verify with, empty if there is none.
func (r *RequestAuthentication) KeySet() string {
	if r == nil {
		return ""
	}
	text, _ := r.rule()[fieldKeySet].(string)
	return text
}

// Trusts reports whether it has a key that somebody may sign with.
func (r *RequestAuthentication) Trusts() bool { return trusts(r.KeySet()) }

// Is reports whether it is what an output asks for, with a key set.
func (r *RequestAuthentication) Is(output *keywrightv1alpha1.IstioOutput, keySet string) bool {
	return r != nil && reflect.DeepEqual(r.object.Object[fieldSpec], specOf(output, keySet))
}

// The fields of a RequestAuthentication that are written.
const (
	fieldSpec      = "spec"
	fieldRules     = "jwtRules"
	fieldIssuer    = "issuer"
	fieldAudiences = "audiences"
	fieldKeySet    = "jwks"
	// fieldForward lets services see the token: they check what proxies do not, such as revocation lists.
	fieldForward = "forwardOriginalToken"
)

// rule is the first rule, nil if there is none.
func (r *RequestAuthentication) rule() map[string]any {
	rules, _, _ := unstructured.NestedFieldNoCopy(r.object.Object, fieldSpec, fieldRules)
	all, _ := rules.([]any)
	if len(all) == 0 {
		return nil
	}
	first, _ := all[0].(map[string]any)
	return first
}

// specOf is what an output asks for. It selects no workloads: those of the whole namespace know the keys.
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

// withKeySet is the spec that stands with another key set, for when no SigningKey says any more what it is to be.
func (r *RequestAuthentication) withKeySet(keySet string) map[string]any {
	rule := maps.Clone(r.rule())
	if rule == nil {
		return nil
	}
	rule[fieldKeySet] = keySet
	return ofRule(rule)
}

// written returns the object to write in place of what stands, which may be nil. Labels and annotations of others stay, as in the ConfigMap.
// Owner references and finalizers go.
func written(namespace, name string, stands *RequestAuthentication, spec map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{fieldSpec: spec}}
	o.SetAPIVersion(Resource().GroupVersion().String())
	o.SetKind(kind)
	o.SetNamespace(namespace)
	o.SetName(name)
	labels := map[string]string{}
	if stands != nil {
		if of := stands.object.GetLabels(); of != nil {
			labels = maps.Clone(of)
		}
		o.SetAnnotations(stands.object.GetAnnotations())
		o.SetUID(stands.object.GetUID())
		o.SetResourceVersion(stands.object.GetResourceVersion())
	}
	labels[contract.ManagedByLabel] = contract.ManagedBy
	o.SetLabels(labels)
	return o
}

// bare reports whether nothing but the spec says how long it lives, and whether it is known as Keywright's.
func (r *RequestAuthentication) bare() bool {
	return len(r.object.GetOwnerReferences()) == 0 && len(r.object.GetFinalizers()) == 0 && r.object.GetLabels()[contract.ManagedByLabel] == contract.ManagedBy
}

// preconditions hold while it is as it was seen.
func (r *RequestAuthentication) preconditions() metav1.DeleteOptions {
	uid, version := r.object.GetUID(), r.object.GetResourceVersion()
	return metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}}
}

// trusts reports whether a key set has a key that somebody may sign with.
func trusts(keySet string) bool { return keySet != "" && !issuerfiles.TrustsNobody(keySet) }
