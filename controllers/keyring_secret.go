package controllers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/controllers/rotation"
)

// keyringSecret is a keyring as it stands in the API server. object is nil when there is none.
type keyringSecret struct {
	object *corev1.Secret
	// ring is the keyring to go by, read what the Secret holds.
	ring, read rotation.Keyring
}

// unreadableError says that a Secret exists and cannot be understood: nothing may then be changed anywhere.
type unreadableError struct {
	name string
	err  error
}

func (e *unreadableError) Error() string { return fmt.Sprintf("Secret %s: %v", e.name, e.err) }
func (e *unreadableError) Unwrap() error { return e.err }

// readKeyring gets the keyring of one SigningKey from the API server itself, never from a cache. With an unreadableError comes the
// Secret that cannot be understood.
func readKeyring(ctx context.Context, api client.Reader, namespace, name string) (keyringSecret, error) {
	var s corev1.Secret
	key := client.ObjectKey{Namespace: namespace, Name: name + contract.KeyringSuffix}
	if err := api.Get(ctx, key, &s); apierrors.IsNotFound(err) {
		return keyringSecret{}, nil
	} else if err != nil {
		return keyringSecret{}, fmt.Errorf("get the keyring %s: %w", key, err)
	}
	ring, err := rotation.Decode(s.Data[contract.KeyringFile])
	if err != nil {
		return keyringSecret{object: &s}, &unreadableError{name: key.String(), err: err}
	}
	return keyringSecret{object: &s, ring: ring, read: ring}, nil
}

// writeKeyring stores ring with the resource version that was read, or creates it. A conflict, or an AlreadyExists, means
// that another write came first: read and plan again.
func writeKeyring(
	ctx context.Context, c client.Client, namespace, name string, was *corev1.Secret, ring rotation.Keyring,
) (keyringSecret, error) {
	b, err := ring.Encode()
	if err != nil {
		return keyringSecret{}, fmt.Errorf("encode the keyring of %s", name)
	}
	s := newSecret(namespace, name, contract.KeyringSuffix, contract.RoleKeyring, was)
	s.Data = map[string][]byte{contract.KeyringFile: b}
	if err := createOrUpdate(ctx, c, s, was); err != nil {
		return keyringSecret{}, fmt.Errorf("write the keyring of %s: %w", name, err)
	}
	return keyringSecret{object: s, ring: ring, read: ring}, nil
}

// newSecret returns the frame of a Secret of one SigningKey, ready to replace was.
func newSecret(namespace, name, suffix, role string, was *corev1.Secret) *corev1.Secret {
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   namespace,
			Name:        name + suffix,
			Labels:      map[string]string{contract.ManagedByLabel: contract.ManagedBy, contract.RoleLabel: role},
			Annotations: map[string]string{contract.SigningKeyAnnotation: name},
		},
		Type: corev1.SecretTypeOpaque,
	}
	if was != nil {
		s.UID, s.ResourceVersion = was.UID, was.ResourceVersion
		s.Type = was.Type
	}
	return s
}

// createOrUpdate writes s, with the resource version of was. It is an error that the API server stores something else: to write
// again at once would never end.
func createOrUpdate(ctx context.Context, c client.Client, s, was *corev1.Secret) error {
	sent := maps.Clone(s.Data)
	var err error
	if was == nil {
		err = c.Create(ctx, s)
	} else {
		err = c.Update(ctx, s)
	}
	if err == nil && !maps.EqualFunc(s.Data, sent, bytes.Equal) {
		return errRewritten
	}
	return err
}

// errOvertaken is that something changed since it was read. Creations have no resource version that would tell.
var errOvertaken = errors.New("another write came first")

// lostRace reports whether a write failed because another one came first. That is a normal outcome, not an error.
func lostRace(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || errors.Is(err, errOvertaken)
}
