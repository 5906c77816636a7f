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

// Keyring is a keyring as it stands in the API server. object is nil when there is none.
type Keyring struct {
	Object *corev1.Secret
	// Ring is the keyring to go by, read what the Secret holds.
	Ring, Read rotation.Keyring
}

// UnreadableError says that a Secret exists and cannot be understood: nothing may then be changed anywhere.
type UnreadableError struct {
	name string
	err  error
}

func (e *UnreadableError) Error() string { return fmt.Sprintf("Secret %s: %v", e.name, e.err) }
func (e *UnreadableError) Unwrap() error { return e.err }

// ReadKeyring gets the keyring of one SigningKey from the API server itself, never from a cache. With an unreadableError comes the
// Secret that cannot be understood.
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

// WriteKeyring stores ring with the resource version that was read, or creates it. A conflict, or an AlreadyExists, means
// that another write came first: read and plan again.
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

// CreateOrUpdate writes s, with the resource version of was. It is an error that the API server stores something else: to write
// again at once would never end.
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

// ErrOvertaken means that something changed since it was read. Creations have no resource version that would tell.
var ErrOvertaken = errors.New("the object changed since it was read")

// LostRace reports whether a write failed because another one came first. That is a normal outcome, not an error.
func LostRace(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || errors.Is(err, ErrOvertaken)
}

// ErrRewritten is retried with a back-off: to write again at once would never end.
var ErrRewritten = errors.New("the API server stored other content than was written: check for an admission policy or webhook that changes it")
