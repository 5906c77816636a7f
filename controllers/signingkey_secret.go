package controllers

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/rotation"
)

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
	ids := issuerfiles.KeyIDs([]byte(jwks))
	p[jwks] = ids
	return ids
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
		ActiveID:   issuerfiles.KeyID(s.Data[contract.ActiveFile]),
		Published:  issuerfiles.KeyIDs(s.Data[contract.JWKSFile]),
	}
}

// projectSecret makes the signing-key Secret from the keyring.
func projectSecret(namespace, name string, ring *rotation.Keyring, p rotation.Policy, was *corev1.Secret) (*corev1.Secret, error) {
	s := newSecret(namespace, name, contract.SigningKeySuffix, contract.RoleSigningKey, was)
	s.Annotations[contract.GenerationAnnotation] = strconv.FormatInt(ring.Generation, 10)
	issuing := ring.IssuingPolicy(p)
	files := issuerfiles.Files{
		KeySet: []byte(filesOf(ring, p, nil).keySet), Revoked: issuerfiles.Revoked{KeyIDs: revokedIDs(ring, nil)},
		Policy: issuerfiles.Policy{
			SigningKey: name, Algorithm: issuing.Algorithm, MaxLifetime: issuing.MaxLifetime, ClockSkew: issuing.ClockSkew,
			NextRotation: issuing.NextRotation,
		},
	}
	if a := ring.Active(); a != nil {
		files.Active = issuerfiles.PrivateJWK(a.Private)
	}
	var err error
	s.Data, err = files.Encode()
	return s, err
}

// sameSecret reports whether writing want would change nothing.
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
	keys, err := issuerfiles.DecodeKeySet(s.Data[contract.JWKSFile])
	if err != nil {
		return rotation.Keyring{}, &unreadableError{name: s.Name, err: fmt.Errorf("%s %w", contract.JWKSFile, err)}
	}
	var others []rotation.Key
	for _, public := range keys {
		k, err := keyFromJWK(public.JWK)
		if err != nil {
			return rotation.Keyring{}, &unreadableError{name: s.Name, err: err}
		}
		if active == nil || k.ID != active.ID {
			others = append(others, k)
		}
	}
	ring := rotation.Rebuild(now, secretGeneration(s), active, others, revokedIn(s))
	if policy, err := issuerfiles.DecodePolicy(s.Data[contract.PolicyFile]); err == nil && len(ring.Keys) == 0 {
		ring.Spec.Algorithm = policy.Algorithm // what a tombstone is made of
	}
	return ring, nil
}
