package users

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/issuer/login"
)

// secretEntry is the entry of the Secret with the list.
const secretEntry = "users.yaml"

// secretList is a list of users in a Secret.
type secretList struct {
	client          client.Client
	namespace, name string
	create          bool
	warn            func(format string, args ...any)
}

func (s *secretList) String() string { return fmt.Sprintf("Secret %s/%s", s.namespace, s.name) }

func (s *secretList) read(ctx context.Context) ([]byte, error) {
	secret, err := s.get(ctx)
	if err != nil {
		return nil, err
	}
	return secret.Data[secretEntry], nil
}

// get returns the Secret with a list. With --create a list that does not exist is empty, and a new Secret has no resourceVersion.
func (s *secretList) get(ctx context.Context) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: s.name}, secret)
	if apierrors.IsNotFound(err) {
		if !s.create {
			return nil, fmt.Errorf("there is no %s: select another with --secret and -n, or create it with `users add NAME --create`", s)
		}
		secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: s.name}, Type: corev1.SecretTypeOpaque}
	} else if err != nil {
		return nil, err
	}
	if _, there := secret.Data[secretEntry]; there {
		return secret, nil
	}
	if !s.create {
		return nil, fmt.Errorf("%s has no entry %s: select another with --secret and -n, or create the entry with `users add NAME --create`", s, secretEntry)
	}
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	secret.Data[secretEntry] = []byte(login.EmptyList)
	return secret, nil
}

// change writes the whole Secret with its resourceVersion, so that no other change is lost. On a conflict it starts again.
func (s *secretList) change(ctx context.Context, change func(*login.Edit) error) error {
	conflict := func(err error) bool { return apierrors.IsConflict(err) || s.create && apierrors.IsAlreadyExists(err) }
	err := retry.OnError(retry.DefaultBackoff, func(err error) bool { return conflict(err) && ctx.Err() == nil }, func() error {
		secret, err := s.get(ctx)
		if err != nil {
			return err
		}
		if secret.Immutable != nil && *secret.Immutable {
			return fmt.Errorf("%s is immutable: delete it, create it again, and restart the issuers, because their pods keep the old one mounted", s)
		}
		e, err := login.EditUsers(secret.Data[secretEntry])
		if err != nil {
			return err
		}
		if err := change(e); err != nil {
			return err
		}
		secret.Data[secretEntry] = e.Bytes()
		if err := s.checkSize(secret); err != nil {
			return err
		}
		for _, owner := range secret.OwnerReferences {
			s.warn("%s is managed by the %s %s, which may revert this change.\n", s, owner.Kind, owner.Name)
		}
		if secret.ResourceVersion == "" {
			return s.client.Create(ctx, secret)
		}
		return s.client.Update(ctx, secret)
	})
	switch {
	case conflict(err):
		return fmt.Errorf("another client changed %s during each attempt, and this command changed nothing: try again: %w", s, err)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("interrupted: `kubectl keywright users list` shows whether %s was changed", s)
	}
	return err
}

// checkSize returns an error if the API server would refuse the size of the Secret.
func (s *secretList) checkSize(secret *corev1.Secret) error {
	size := 0
	for _, entry := range secret.Data {
		size += len(entry)
	}
	if size > corev1.MaxSecretSize {
		return fmt.Errorf("%s would have %d bytes, and a Secret has at most %d: move the users to LDAP or PostgreSQL", s, size, corev1.MaxSecretSize)
	}
	return nil
}
