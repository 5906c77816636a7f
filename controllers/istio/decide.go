package istio

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
)

// situation is what is known of one SigningKey in one namespace.
type situation struct {
	name string
	// key is nil if there is no SigningKey.
	key *keywrightv1alpha1.SigningKey
	// selected is set if the SigningKey selects the namespace, and asked if the namespace asks for a RequestAuthentication.
	selected, asked bool
	file            file
	// stands is nil if there is no RequestAuthentication.
	stands *RequestAuthentication
	// revoked keys must be in none, whatever the file says.
	revoked []string
	// nobody is the key set of a SigningKey that nobody is to trust any more, whatever the file says. It is empty for others.
	nobody string
}

// file is what the ConfigMap of the namespace says.
type file struct {
	// known is set if the ConfigMap stands as the controller left it.
	known bool
	// keySet is empty if it has no key set of this SigningKey.
	keySet string
}

// fileIn returns what a ConfigMap says of a SigningKey. What somebody else wrote there says nothing.
func fileIn(cm *corev1.ConfigMap, name string) file {
	if cm == nil {
		return file{}
	}
	content, stands := cm.Data[name+contract.JWKSSuffix]
	record, recorded := desired.RecordsOf(cm)[name]
	switch {
	case !stands && !recorded:
		return file{known: true}
	case !stands || record.Digest != desired.Digest(content):
		return file{}
	case record.Foreign:
		return file{known: true}
	default:
		return file{known: true, keySet: content}
	}
}

// verdict is what is to be done about a RequestAuthentication: nothing if both are zero.
type verdict struct {
	remove bool
	// spec is what it is to be.
	spec map[string]any
}

// decide lets a RequestAuthentication follow the file. It begins where a SigningKey and a namespace ask for it, and ends when one of them no
// longer does, or when the file is gone. A tombstone in the file becomes one in it: workloads that leave the verification to their
// proxy refuse everybody then, where without a RequestAuthentication they would believe anybody.
func decide(s situation) verdict {
	output := outputOf(s.key)
	switch {
	case s.stands == nil:
		if output == nil || s.key.DeletionTimestamp != nil || !s.selected || !s.asked {
			return verdict{}
		}
		if keySet := s.without(s.file.keySet); trusts(keySet) {
			return verdict{spec: specOf(output, keySet)}
		}
		return verdict{}
	case s.key != nil && (output == nil || !s.asked):
		return verdict{remove: true}
	case s.key == nil && s.file.known && s.file.keySet == "":
		return verdict{remove: true}
	}
	return s.follow(output)
}

// follow brings a RequestAuthentication to what the file says.
func (s *situation) follow(output *keywrightv1alpha1.IstioOutput) verdict {
	keySet := s.file.keySet
	if keySet == "" {
		keySet = s.stands.KeySet()
	}
	if keySet = s.without(keySet); keySet == "" { // never: Istio would look for keys at the URL of the issuer
		return verdict{}
	}
	spec := s.stands.withKeySet(keySet)
	if output != nil {
		spec = specOf(output, keySet)
	}
	if spec == nil || reflect.DeepEqual(spec, s.stands.object.Object[fieldSpec]) && s.stands.bare() {
		return verdict{}
	}
	return verdict{spec: spec}
}

// without takes out of a key set what nobody is to trust any more. A ConfigMap that is refused says it late, or never.
func (s *situation) without(keySet string) string {
	if s.nobody != "" {
		return s.nobody
	}
	clean, _ := issuerfiles.Without([]byte(keySet), s.revoked)
	return string(clean)
}

// outputOf returns what a SigningKey asks for, nil if it asks for nothing, or if there is none.
func outputOf(key *keywrightv1alpha1.SigningKey) *keywrightv1alpha1.IstioOutput {
	if key == nil || key.Spec.Outputs == nil {
		return nil
	}
	return key.Spec.Outputs.Istio
}
