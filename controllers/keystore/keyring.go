package keystore

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

// Keyring is a keyring and its Secret.
type Keyring struct {
	// Object is nil if there is no Secret.
	Object *corev1.Secret
	// Ring is the keyring to use. Read is the content of the Secret.
	Ring, Read rotation.Keyring
}

// UnreadableError means that a Secret exists but cannot be decoded. Nothing may then be changed, except for
// revocations.
type UnreadableError struct {
	name string
	err  error
}

func (e *UnreadableError) Error() string { return fmt.Sprintf("Secret %s: %v", e.name, e.err) }
func (e *UnreadableError) Unwrap() error { return e.err }

// ReadKeyring reads the keyring of a SigningKey from the API server, never from a cache. If it returns an
// UnreadableError, it also returns the Secret.
func ReadKeyring(ctx context.Context, api client.Reader, namespace, name string) (Keyring, error) {
	var s corev1.Secret
	key := client.ObjectKey{Namespace: namespace, Name: name + contract.KeyringSuffix}
	if err := api.Get(ctx, key, &s); apierrors.IsNotFound(err) {
		return Keyring{}, nil
	} else if err != nil {
		return Keyring{}, fmt.Errorf("get the keyring %s: %w", key, err)
	}
	ring, err := rotation.Decode(s.Data[contract.KeyringFile])
	if err != nil {
		return Keyring{Object: &s}, &UnreadableError{name: key.String(), err: err}
	}
	return Keyring{Object: &s, Ring: ring, Read: ring}, nil
}

// WriteKeyring writes ring with the resource version that was read, or creates it. If LostRace reports the error, read
// and plan again.
func WriteKeyring(
	ctx context.Context, c client.Client, namespace, name string, was *corev1.Secret, ring rotation.Keyring,
) (Keyring, error) {
	b, err := ring.Encode()
	if err != nil {
		return Keyring{}, fmt.Errorf("encode the keyring of %s", name)
	}
	s := newSecret(namespace, name, contract.KeyringSuffix, contract.RoleKeyring, was)
	s.Data = map[string][]byte{contract.KeyringFile: b}
	if err := CreateOrUpdate(ctx, c, s, was); err != nil {
		return Keyring{}, fmt.Errorf("write the keyring of %s: %w", name, err)
	}
	return Keyring{Object: s, Ring: ring, Read: ring}, nil
}

// newSecret returns a Secret of a SigningKey without data, to replace was.
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

// CreateOrUpdate writes s with the resource version of was, or creates it if was is nil. It returns ErrRewritten if the
// API server stored other data.
func CreateOrUpdate(ctx context.Context, c client.Client, s, was *corev1.Secret) error {
	sent := maps.Clone(s.Data)
	var err error
	if was == nil {
		err = c.Create(ctx, s)
	} else {
		err = c.Update(ctx, s)
	}
	if err == nil && !maps.EqualFunc(s.Data, sent, bytes.Equal) {
		return ErrRewritten
	}
	return err
}

// ErrOvertaken means that an object changed since it was read. It is for creations, which have no resource version to
// compare.
var ErrOvertaken = errors.New("the object changed since it was read")

// LostRace reports whether a write failed because of another write. That is a normal outcome, not an error.
func LostRace(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || errors.Is(err, ErrOvertaken)
}

// ErrRewritten is retried with a back-off, since the next write has the same result.
var ErrRewritten = errors.New("the API server stored content that differs from what was written: check for an admission policy or webhook that changes it")
