package keystore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/jwk"
	"github.com/keywright/keywright/controllers/rotation"
)

// ReadSigningKey reads the signing-key Secret from the API server. It returns nil if there is none.
func ReadSigningKey(ctx context.Context, api client.Reader, namespace, name string) (*corev1.Secret, error) {
	var s corev1.Secret
	key := client.ObjectKey{Namespace: namespace, Name: name + contract.SigningKeySuffix}
	if err := api.Get(ctx, key, &s); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("get the signing-key Secret %s: %w", key, err)
	}
	return &s, nil
}

// Has reports whether a name has a keyring or a signing-key Secret, readable or not.
func Has(ctx context.Context, api client.Reader, namespace, name string) (bool, error) {
	ring, err := ReadKeyring(ctx, api, namespace, name)
	var unreadable *UnreadableError
	if errors.As(err, &unreadable) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	secret, err := ReadSigningKey(ctx, api, namespace, name)
	return ring.Object != nil || secret != nil, err
}

// Generation returns the generation of the keyring that a signing-key Secret was made from, 0 if it has none.
func Generation(s *corev1.Secret) int64 {
	g, err := strconv.ParseInt(s.Annotations[contract.GenerationAnnotation], 10, 64)
	if err != nil {
		return 0
	}
	return g
}

// Observe returns the state of a signing-key Secret for Plan.
func Observe(s *corev1.Secret) rotation.Secret {
	if s == nil {
		return rotation.Secret{}
	}
	observed := rotation.Secret{
		Present:    true,
		ID:         string(s.UID),
		Generation: Generation(s),
		ActiveID:   issuerfiles.KeyID(s.Data[contract.ActiveFile]),
		Published:  issuerfiles.KeyIDs(s.Data[contract.JWKSFile]),
	}
	keys := sealingIn(s)
	for i := range keys {
		observed.Sealing = append(observed.Sealing, keys[i].Number)
	}
	if used, ok := keys.InUse(); ok {
		observed.SealingInUse = used.Number
	}
	return observed
}

// sealingIn returns the sealing keys of a signing-key Secret, none if they are invalid.
func sealingIn(s *corev1.Secret) issuerfiles.SealingKeys {
	content, ok := s.Data[contract.SealingFile]
	if !ok {
		return nil
	}
	keys, err := issuerfiles.DecodeSealing(content)
	if err != nil {
		return nil
	}
	return keys
}

// Project returns the signing-key Secret of a keyring.
func Project(namespace, name string, ring *rotation.Keyring, p rotation.Policy, was *corev1.Secret) (*corev1.Secret, error) {
	s := newSecret(namespace, name, contract.SigningKeySuffix, contract.RoleSigningKey, was)
	s.Annotations[contract.GenerationAnnotation] = strconv.FormatInt(ring.Generation, 10)
	issuing := ring.IssuingPolicy(p)
	files := issuerfiles.Files{
		KeySet: []byte(desired.FilesOf(ring, p, issuerfiles.Revoked{}).KeySet), Revoked: desired.RevokedForIssuers(ring, issuerfiles.Revoked{}),
		Policy: issuerfiles.Policy{
			SigningKey: name, Algorithm: issuing.Algorithm, MaxLifetime: issuing.MaxLifetime, ClockSkew: issuing.ClockSkew,
			NextRotation: issuing.NextRotation, MaxRefreshLifetime: issuing.MaxRefreshLifetime, MaxSessionLifetime: issuing.MaxSessionLifetime,
		},
	}
	for i := range ring.Sealing {
		k := &ring.Sealing[i]
		files.Sealing = append(files.Sealing, issuerfiles.SealingKey{
			Number: k.Number, Secret: issuerfiles.SealingSecret(k.Secret), PreparedAt: k.PreparedAt, UsedAt: k.UsedAt, MaxRefreshLifetime: k.MaxRefreshLifetime,
		})
	}
	if a := ring.Active(); a != nil {
		files.Active = issuerfiles.PrivateJWK(a.Private)
	}
	var err error
	s.Data, err = files.Encode()
	return s, err
}

// Same reports whether writing want would change nothing.
func Same(was, want *corev1.Secret) bool {
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

// Rebuild returns a keyring made from the signing-key Secret only, never from a ConfigMap.
func Rebuild(s *corev1.Secret, now time.Time) (rotation.Keyring, error) {
	var active *rotation.Key
	if b, ok := s.Data[contract.ActiveFile]; ok {
		k, err := jwk.Parse(b)
		if err != nil || len(k.Private) == 0 {
			return rotation.Keyring{}, &UnreadableError{name: s.Name, err: fmt.Errorf("%s is not a private JWK", contract.ActiveFile)}
		}
		active = &k
	}
	keys, err := issuerfiles.DecodeKeySet(s.Data[contract.JWKSFile])
	if err != nil {
		return rotation.Keyring{}, &UnreadableError{name: s.Name, err: fmt.Errorf("%s %w", contract.JWKSFile, err)}
	}
	var others []rotation.Key
	for _, public := range keys {
		k, err := jwk.Parse(public.JWK)
		if err != nil {
			return rotation.Keyring{}, &UnreadableError{name: s.Name, err: err}
		}
		if active == nil || k.ID != active.ID {
			others = append(others, k)
		}
	}
	if active != nil && !slices.ContainsFunc(keys, func(k issuerfiles.PublicKey) bool { return k.ID == active.ID }) {
		err := fmt.Errorf("%s does not have the key of %s, and other keys may be missing too", contract.JWKSFile, contract.ActiveFile)
		return rotation.Keyring{}, &UnreadableError{name: s.Name, err: err}
	}
	list := RevokedIn(s)
	ring := rotation.Rebuild(now, Generation(s), active, others, list.KeyIDs, desired.TokensOf(list))
	ring.ClockSkew = list.ClockSkew
	for _, k := range sealingIn(s) {
		ring.Sealing = append(ring.Sealing, rotation.SealingKey{
			Number: k.Number, Secret: rotation.SealingSecret(k.Secret), PreparedAt: k.PreparedAt, UsedAt: k.UsedAt, MaxRefreshLifetime: k.MaxRefreshLifetime,
		})
		ring.LastSealing = k.Number
	}
	if policy, err := issuerfiles.DecodePolicy(s.Data[contract.PolicyFile]); err == nil && len(ring.Keys) == 0 {
		ring.Spec.Algorithm = policy.Algorithm // for the tombstone
	}
	return ring, nil
}

// RevokedIn returns the revocation list of a signing-key Secret, an empty one if it has none or an invalid one.
func RevokedIn(s *corev1.Secret) issuerfiles.Revoked {
	if s == nil {
		return issuerfiles.Revoked{}
	}
	list, err := issuerfiles.DecodeRevoked(s.Data[contract.RevokedFile])
	if err != nil {
		return issuerfiles.Revoked{}
	}
	return list
}

// SigningKeyOf returns the name of the SigningKey that a Secret belongs to, from the name of the Secret.
func SigningKeyOf(secret string) (string, bool) {
	for _, suffix := range []string{contract.KeyringSuffix, contract.SigningKeySuffix} {
		if name, ok := strings.CutSuffix(secret, suffix); ok && name != "" {
			return name, true
		}
	}
	return "", false
}
