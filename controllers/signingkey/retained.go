package signingkey

import (
	"context"
	"errors"

	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/keystore"
	"github.com/keywright/keywright/controllers/rotation"
)

// reconcileRetained looks after a name that has no SigningKey. Its keyring, if there is one, still counts wherever its
// file stands.
func (r *Reconciler) reconcileRetained(ctx context.Context, name string) error {
	r.forget(name)
	keyring, err := keystore.ReadKeyring(ctx, r.API, r.KeyNamespace, name)
	var unreadable *keystore.UnreadableError
	if err != nil && !errors.As(err, &unreadable) {
		return err
	}
	secret, err := keystore.ReadSigningKey(ctx, r.API, r.KeyNamespace, name)
	switch {
	case err != nil:
		return err
	case unreadable == nil && keyring.Object != nil:
		r.Projections.Set(name, desired.New(&keyring.Ring, rotation.Policy{}, keystore.RevokedIn(secret), r.Now()))
	case unreadable != nil || secret != nil:
		r.Projections.Set(name, desired.NewFrozen(keystore.RevokedIn(secret), "", r.Now()))
	default:
		r.Projections.Drop(name)
	}
	return nil
}

// forget drops what this process remembers of a SigningKey that no longer exists.
func (r *Reconciler) forget(name string) {
	r.Metrics.forget(name)
	r.Refreshes.Forget(name)
	r.Published.Forget(name)
	r.seenRevoked.Delete(name)
	r.pending.Delete(name)
	r.reported.Delete(name)
}
