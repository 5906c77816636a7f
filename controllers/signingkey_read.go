package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// read looks at everything that a plan goes by. The time it returns was read before anything else, pass.now after it.
func (r *SigningKeyReconciler) read(ctx context.Context, key *keywrightv1alpha1.SigningKey) (*pass, time.Time, error) {
	at := r.Now()
	p := &pass{key: key}
	p.policy, _ = PolicyOf(key)
	var err error
	p.keyring, err = readKeyring(ctx, r.API, r.KeyNamespace, key.Name)
	var unreadable *unreadableError
	if errors.As(err, &unreadable) {
		return r.freeze(p, keywrightv1alpha1.ReasonKeyringInvalid, unreadable.Error()+
			": nothing is changed until it is restored or deleted"), at, nil
	} else if err != nil {
		return p, at, err
	}
	if p.secret, err = readSigningKeySecret(ctx, r.API, r.KeyNamespace, key.Name); err != nil {
		return p, at, err
	}
	if p.targets, err = observeTargets(ctx, r.Client, key, &p.keyring.ring); err != nil {
		return p, at, err
	}
	p.now = r.Now()
	if p.keyring.object == nil {
		return p, at, r.begin(p)
	}
	r.checkKeyType(p)
	return p, at, nil
}

// begin handles a SigningKey without a keyring: a new one, or one whose keyring was lost.
func (r *SigningKeyReconciler) begin(p *pass) error {
	name := p.key.Name
	if p.secret == nil {
		if p.targets.holders > 0 {
			r.freeze(p, keywrightv1alpha1.ReasonKeysLost, fmt.Sprintf(
				"both Secrets of %s are gone while %d namespaces hold its public keys: restore one of the Secrets, or delete the "+
					"SigningKey with deletionPolicy Delete", name, p.targets.holders))
		}
		return nil
	}
	ring, err := rebuildKeyring(p.secret, p.now)
	var unreadable *unreadableError
	if errors.As(err, &unreadable) {
		r.freeze(p, keywrightv1alpha1.ReasonKeyringInvalid, "the keyring is lost, and cannot be rebuilt: "+unreadable.Error())
		return nil
	} else if err != nil {
		return err
	}
	p.keyring.ring = ring
	r.checkKeyType(p)
	return nil
}

// checkKeyType refuses a keyring that an earlier SigningKey of this name left behind with keys of another type.
func (r *SigningKeyReconciler) checkKeyType(p *pass) {
	for _, k := range p.keyring.ring.Keys {
		if k.Type() == p.policy.Type() {
			continue
		}
		p.trouble = &trouble{keywrightv1alpha1.ReasonKeyTypeDiffers, fmt.Sprintf(
			"the retained keyring %s has %s keys and spec.algorithm is %s: use an algorithm of the same type, or another name",
			p.key.Name+contract.KeyringSuffix, k.Algorithm, p.policy.Algorithm)}
		r.publish(p)
		return
	}
}

// freeze leaves all files as they are, but for revoked keys.
func (r *SigningKeyReconciler) freeze(p *pass, reason, message string) *pass {
	p.now = r.Now()
	p.trouble = &trouble{reason, message}
	revoked := append([]string(nil), p.policy.Revoked...)
	for _, v := range p.keyring.ring.Revoked {
		revoked = append(revoked, v.ID)
	}
	r.Projections.set(p.key.Name, projection{frozen: true, revoked: revoked, confirmed: p.now})
	return p
}

// freezeRestored handles a keyring that is older than the signing-key Secret: it comes from a backup. Only revocations
// are written: into the Secret here, into the files by the distribution.
func (r *SigningKeyReconciler) freezeRestored(ctx context.Context, p *pass) error {
	secret := p.secret
	r.freeze(p, keywrightv1alpha1.ReasonKeyringRestored, fmt.Sprintf(
		"the keyring has generation %d and Secret %s has %d: the keyring comes from a backup. Delete Secret %s, and it is "+
			"rebuilt from what the issuers have", p.keyring.ring.Generation, secret.Name, secretGeneration(secret),
		p.key.Name+contract.KeyringSuffix))
	held, _ := r.Projections.get(p.key.Name)
	clean, changed := without(secret.Data[contract.JWKSFile], held.revoked)
	want := secret.DeepCopy()
	want.Data[contract.JWKSFile] = clean
	for _, id := range held.revoked {
		if keyID(want.Data[contract.ActiveFile]) == id {
			delete(want.Data, contract.ActiveFile)
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return r.Client.Update(ctx, want)
}

// reconcileRetained looks after a name that has no SigningKey. Its keyring, if there is one, still counts wherever its
// file stands.
func (r *SigningKeyReconciler) reconcileRetained(ctx context.Context, name string) error {
	r.Metrics.forget(name)
	r.Nudges.forget(name)
	keyring, err := readKeyring(ctx, r.API, r.KeyNamespace, name)
	var unreadable *unreadableError
	if errors.As(err, &unreadable) {
		r.Projections.set(name, projection{frozen: true, confirmed: r.Now()})
		return nil
	} else if err != nil {
		return err
	}
	if keyring.object != nil {
		r.Projections.set(name, newProjection(&keyring.ring, r.Now()))
		return nil
	}
	secret, err := readSigningKeySecret(ctx, r.API, r.KeyNamespace, name)
	switch {
	case err != nil:
		return err
	case secret != nil:
		r.Projections.set(name, projection{frozen: true, confirmed: r.Now()})
	default:
		r.Projections.drop(name)
	}
	return nil
}
