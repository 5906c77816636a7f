package istio

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
)

// state is the state of one SigningKey in one namespace.
type state struct {
	name string
	// key is nil if there is no SigningKey.
	key *keywrightv1alpha1.SigningKey
	// selected is set if the SigningKey selects the namespace, and requested if outputs.istio selects it, too.
	selected, requested bool
	file                file
	// existing is nil if there is no RequestAuthentication.
	existing *RequestAuthentication
	// revoked keys must be in no RequestAuthentication, whatever the file has.
	revoked []string
	// tombstone is the key set of a SigningKey that has ended, whatever the file has. It is empty for others.
	tombstone string
}

// file is the file of a SigningKey in the ConfigMap of the namespace.
type file struct {
	// known is set if the controller wrote the file.
	known bool
	// keySet is empty if it has no key set of this SigningKey.
	keySet string
}

// fileIn returns the file of a SigningKey in a ConfigMap. It is not known if another client wrote it.
func fileIn(cm *corev1.ConfigMap, name string) file {
	if cm == nil {
		return file{}
	}
	content, exists := cm.Data[name+contract.JWKSSuffix]
	record, recorded := desired.RecordsOf(cm)[name]
	switch {
	case !exists && !recorded:
		return file{known: true}
	case !exists || record.Digest != desired.Digest(content):
		return file{}
	case record.Foreign:
		return file{known: true}
	default:
		return file{known: true, keySet: content}
	}
}

// action is the change of a RequestAuthentication. There is none if both fields are zero.
type action struct {
	remove bool
	// spec is the desired spec.
	spec map[string]any
}

// decide returns the action that makes a RequestAuthentication follow the file. It is created if a SigningKey and the
// labels of a namespace request it, and deleted if one of them no longer does, or if the file is gone. A tombstone in
// the file is copied: workloads that rely on their proxy then reject all tokens, but would accept any without a
// RequestAuthentication.
func decide(s state) action {
	output := outputOf(s.key)
	switch {
	case s.existing == nil:
		if output == nil || s.key.DeletionTimestamp != nil || !s.selected || !s.requested {
			return action{}
		}
		if keySet := s.effective(s.file.keySet); trusts(keySet) {
			return action{spec: specOf(output, keySet)}
		}
		return action{}
	case s.key != nil && (output == nil || !s.requested):
		return action{remove: true}
	case s.key == nil && s.file.known && s.file.keySet == "":
		return action{remove: true}
	}
	return s.update(output)
}

// update returns the action that updates a RequestAuthentication from the file.
func (s *state) update(output *keywrightv1alpha1.IstioOutput) action {
	keySet := s.file.keySet
	if keySet == "" {
		keySet = s.existing.KeySet()
	}
	if keySet = s.effective(keySet); keySet == "" { // never write that: Istio would fetch keys from the URL of the issuer
		return action{}
	}
	spec := s.existing.withKeySet(keySet)
	if output != nil {
		spec = specOf(output, keySet)
	}
	if spec == nil || reflect.DeepEqual(spec, s.existing.object.Object[fieldSpec]) && s.existing.bare() {
		return action{}
	}
	return action{spec: spec}
}

// effective returns the tombstone if the SigningKey has ended, or else a key set without revoked keys. A ConfigMap
// whose writes are refused still has them.
func (s *state) effective(keySet string) string {
	if s.tombstone != "" {
		return s.tombstone
	}
	clean, _ := issuerfiles.Without([]byte(keySet), s.revoked)
	return string(clean)
}

// outputOf returns outputs.istio of a SigningKey, nil if it is not set or if there is no SigningKey.
func outputOf(key *keywrightv1alpha1.SigningKey) *keywrightv1alpha1.IstioOutput {
	if key == nil || key.Spec.Outputs == nil {
		return nil
	}
	return key.Spec.Outputs.Istio
}
