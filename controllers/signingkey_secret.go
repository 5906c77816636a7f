package controllers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/controllers/rotation"
)

// jwkSet is the outline of a JWKS: enough to take keys out of it or to name them.
type jwkSet struct {
	Keys []json.RawMessage `json:"keys"`
}

func keyID(jwk []byte) string {
	var k struct {
		ID string `json:"kid"`
	}
	if json.Unmarshal(jwk, &k) != nil {
		return ""
	}
	return k.ID
}

// keyIDs returns the kids of a JWKS, none if it is not one.
func keyIDs(jwks []byte) []string {
	var set jwkSet
	if json.Unmarshal(jwks, &set) != nil {
		return nil
	}
	ids := make([]string, 0, len(set.Keys))
	for _, k := range set.Keys {
		ids = append(ids, keyID(k))
	}
	return ids
}

// parsed remembers the kids of a few JWKS. The files of all namespaces are nearly always the same.
type parsed map[string][]string

// keyIDs returns the kids of a JWKS. The caller must not change them.
func (p parsed) keyIDs(jwks string) []string {
	if ids, known := p[jwks]; known {
		return ids
	}
	const most = 64
	if len(p) >= most {
		clear(p)
	}
	ids := keyIDs([]byte(jwks))
	p[jwks] = ids
	return ids
}

// without returns a JWKS without the named keys, and whether that changed it.
func without(jwks []byte, revoked []string) ([]byte, bool) {
	var set jwkSet
	if json.Unmarshal(jwks, &set) != nil {
		return jwks, false
	}
	kept := slices.DeleteFunc(slices.Clone(set.Keys), func(k json.RawMessage) bool {
		return slices.Contains(revoked, keyID(k))
	})
	if len(kept) == len(set.Keys) {
		return jwks, false
	}
	return append(append([]byte(`{"keys":[`), bytes.Join(rawBytes(kept), []byte(","))...), "]}"...), true
}

func rawBytes(in []json.RawMessage) [][]byte {
	out := make([][]byte, len(in))
	for i := range in {
		out[i] = in[i]
	}
	return out
}

// readSigningKeySecret gets the signing-key Secret from the API server itself, nil if there is none.
func readSigningKeySecret(ctx context.Context, api client.Reader, namespace, name string) (*corev1.Secret, error) {
	var s corev1.Secret
	key := client.ObjectKey{Namespace: namespace, Name: name + contract.SigningKeySuffix}
	if err := api.Get(ctx, key, &s); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("get the signing-key Secret %s: %w", key, err)
	}
	return &s, nil
}

// secretGeneration is the keyring generation that a signing-key Secret was made from, 0 if it does not say.
func secretGeneration(s *corev1.Secret) int64 {
	g, err := strconv.ParseInt(s.Annotations[contract.GenerationAnnotation], 10, 64)
	if err != nil {
		return 0
	}
	return g
}

// observeSecret says what a signing-key Secret holds.
func observeSecret(s *corev1.Secret) rotation.Secret {
	if s == nil {
		return rotation.Secret{}
	}
	return rotation.Secret{
		Present:    true,
		ID:         string(s.UID),
		Generation: secretGeneration(s),
		ActiveID:   keyID(s.Data[contract.ActiveFile]),
		Published:  keyIDs(s.Data[contract.JWKSFile]),
	}
}

// projectSecret makes the signing-key Secret from the keyring.
func projectSecret(namespace, name string, ring *rotation.Keyring, p rotation.Policy, was *corev1.Secret) *corev1.Secret {
	s := newSecret(namespace, name, contract.SigningKeySuffix, contract.RoleSigningKey, was)
	s.Annotations[contract.GenerationAnnotation] = strconv.FormatInt(ring.Generation, 10)
	s.Data = map[string][]byte{contract.JWKSFile: ring.JWKS(), contract.PolicyFile: []byte("{}")}
	policy := map[string]any{contract.PolicySigningKey: name}
	if issuing, ok := ring.IssuingPolicy(p); ok {
		s.Data[contract.ActiveFile] = ring.Active().Private
		policy[contract.PolicyAlgorithm] = issuing.Algorithm
		policy[contract.PolicyMaxLifetime] = int64(issuing.MaxLifetime / time.Second)
		policy[contract.PolicyClockSkew] = int64(issuing.ClockSkew / time.Second)
		if !issuing.NextRotation.IsZero() {
			policy[contract.PolicyNextRotation] = issuing.NextRotation.UTC().Truncate(time.Second).Format(time.RFC3339)
		}
	}
	if b, err := json.Marshal(policy); err == nil {
		s.Data[contract.PolicyFile] = b
	}
	return s
}

// sameSecret tells whether writing want would change nothing.
func sameSecret(was, want *corev1.Secret) bool {
	return was != nil && maps.EqualFunc(was.Data, want.Data, bytes.Equal) && containsAll(was.Labels, want.Labels) &&
		containsAll(was.Annotations, want.Annotations)
}

func containsAll(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

// rebuildKeyring makes a keyring from the signing-key Secret alone, never from a ConfigMap.
func rebuildKeyring(s *corev1.Secret, now time.Time) (rotation.Keyring, error) {
	var active *rotation.Key
	if b, ok := s.Data[contract.ActiveFile]; ok {
		k, err := keyFromJWK(b)
		if err != nil || len(k.Private) == 0 {
			return rotation.Keyring{}, &unreadableError{name: s.Name, err: fmt.Errorf("%s is not a private JWK", contract.ActiveFile)}
		}
		active = &k
	}
	var set jwkSet
	if err := json.Unmarshal(s.Data[contract.JWKSFile], &set); err != nil {
		return rotation.Keyring{}, &unreadableError{name: s.Name, err: fmt.Errorf("%s is not a JWKS", contract.JWKSFile)}
	}
	var others []rotation.Key
	for _, raw := range set.Keys {
		k, err := keyFromJWK(raw)
		if err != nil {
			return rotation.Keyring{}, &unreadableError{name: s.Name, err: err}
		}
		if active == nil || k.ID != active.ID {
			others = append(others, k)
		}
	}
	return rotation.Rebuild(now, secretGeneration(s), active, others), nil
}
