package controllers

import (
	"context"
	"errors"

	"github.com/keywright/keywright/controllers/rotation"
)

// reconcileRetained looks after a name that has no SigningKey. Its keyring, if there is one, still counts wherever its
// file stands.
func (r *SigningKeyReconciler) reconcileRetained(ctx context.Context, name string) error {
	r.forget(name)
	keyring, err := readKeyring(ctx, r.API, r.KeyNamespace, name)
	var unreadable *unreadableError
	if err != nil && !errors.As(err, &unreadable) {
		return err
	}
	secret, err := readSigningKeySecret(ctx, r.API, r.KeyNamespace, name)
	switch {
	case err != nil:
		return err
	case unreadable == nil && keyring.object != nil:
		r.Projections.set(name, newProjection(&keyring.ring, rotation.Policy{}, revokedIn(secret), r.Now()))
	case unreadable != nil || secret != nil:
		r.Projections.set(name, frozenProjection(revokedIn(secret), "", r.Now()))
	default:
		r.Projections.drop(name)
	}
	return nil
}

// forget drops what this process remembers of a SigningKey that no longer exists.
func (r *SigningKeyReconciler) forget(name string) {
	r.Metrics.forget(name)
	r.Nudges.forget(name)
	r.Published.forget(name)
	r.seenRevoked.Delete(name)
	r.pending.Delete(name)
	r.reported.Delete(name)
}
