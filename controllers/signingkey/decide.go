package signingkey

import (
	"errors"
	"fmt"
	"slices"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/keystore"
	"github.com/keywright/keywright/controllers/report"
	"github.com/keywright/keywright/controllers/rotation"
)

// decide makes the decision from the observations, including trouble, deletion and draining. Revocations are carried
// out despite trouble.
func (p *pass) decide() error {
	switch {
	case p.key == nil: // retained objects do not change
		return nil
	case p.nothingLeft():
		p.decision.Ended = true
		return nil
	}
	p.release = p.retained()
	if err := p.settleKeyring(); err != nil || p.frozen() {
		return err
	}
	p.keepKeyType()
	p.decision = rotation.Plan(p.now, p.policy, p.keyring.Ring, p.observed)
	if p.decision.Restored {
		p.freeze(keywrightv1alpha1.ReasonKeyringRestored, fmt.Sprintf(
			"the keyring has generation %d but Secret %s has %d: the keyring was restored from a backup. Delete Secret %s: the "+
				"controller then rebuilds it from the signing-key Secret", p.keyring.Ring.Generation, p.secret.Name,
			keystore.Generation(p.secret), p.name+contract.KeyringSuffix))
	}
	return nil
}

// retained reports whether a deleted SigningKey with the policy Retain can be released. It cannot while the keyring is
// unreadable or lost, since its keys would stay trusted and could not be managed again. Nor can it while a revocation
// is missing in the keyring or the signing-key Secret, since the request is lost with the SigningKey.
func (p *pass) retained() bool {
	return p.key.DeletionTimestamp != nil && !p.policy.Ending() && p.unreadable == nil && !p.lost() && !p.anyUnrecorded()
}

// anyUnrecorded reports whether a requested revocation is missing in the keyring or in the signing-key Secret.
func (p *pass) anyUnrecorded() bool {
	recorded := desired.RevokedIDs(&p.keyring.Ring, nil)
	if p.secret != nil {
		listed := keystore.RevokedIn(p.secret).KeyIDs
		recorded = slices.DeleteFunc(recorded, func(id string) bool { return !slices.Contains(listed, id) })
	}
	return len(p.pendingTokens()) > 0 || slices.ContainsFunc(p.requested, func(id string) bool { return !slices.Contains(recorded, id) })
}

// lost reports whether both Secrets are missing while files hold keys.
func (p *pass) lost() bool {
	return p.secret == nil && p.keyring.Object == nil && len(p.targets.holders) > 0
}

// nothingLeft reports whether a SigningKey that is being deleted has neither Secrets nor files: it never had any, or
// the cache lags behind its deletion.
func (p *pass) nothingLeft() bool {
	return p.policy.Ending() && p.keyring.Object == nil && p.secret == nil && len(p.targets.holders) == 0
}

// settleKeyring determines the keyring to use: the existing one, a new one, or a rebuilt one.
func (p *pass) settleKeyring() error {
	lost := p.lost()
	switch deleting := p.policy.Deleting; {
	case deleting && (p.unreadable != nil || lost):
		p.beginToEnd()
	case p.unreadable != nil:
		p.freeze(keywrightv1alpha1.ReasonKeyringInvalid, p.unreadable.Error()+
			". Restore the Secret, or delete it: the controller then rebuilds it from the signing-key Secret. Until then, only "+
			"revocations are carried out")
	case lost:
		p.freeze(keywrightv1alpha1.ReasonKeysLost, fmt.Sprintf(
			"both Secrets of %s are missing, but %d namespaces hold its public keys: restore one of the Secrets, or delete the "+
				"SigningKey with deletionPolicy Delete", p.name, len(p.targets.holders)))
	case p.keyring.Object == nil && p.secret != nil:
		return p.rebuild()
	case deleting && p.secret != nil: // all keys of the Secret are removed
		p.keyring.Ring.Generation = max(p.keyring.Ring.Generation, keystore.Generation(p.secret))
	}
	return nil
}

// rebuild creates a keyring from the signing-key Secret.
func (p *pass) rebuild() error {
	ring, err := keystore.Rebuild(p.secret, p.now)
	var unreadable *keystore.UnreadableError
	switch {
	case errors.As(err, &unreadable) && p.policy.Deleting:
		p.beginToEnd()
	case errors.As(err, &unreadable):
		p.freeze(keywrightv1alpha1.ReasonKeyringInvalid, "the keyring is missing and cannot be rebuilt: "+unreadable.Error())
	case err != nil:
		return err
	default:
		p.keyring.Ring = ring
	}
	return nil
}

// beginToEnd replaces a lost or unreadable keyring by one without keys, for a deletion.
func (p *pass) beginToEnd() {
	p.keyring.Ring = rotation.Keyring{EverActive: true, Generation: 1, Spec: p.policy.KeySpec}
	// The tombstone needs the key type of the files: some libraries refuse a set with another type, and keep their keys.
	if was := (rotation.KeySpec{Algorithm: p.targets.algorithm}); was.Algorithm != "" && was.Type() != p.policy.Type() {
		p.keyring.Ring.Spec = was
	}
	if p.secret != nil {
		p.keyring.Ring.Generation += keystore.Generation(p.secret)
	}
}

// keepKeyType keeps the key type of a keyring that was retained from an earlier SigningKey of this name.
func (p *pass) keepKeyType() {
	spec := p.keyring.Ring.KeySpec()
	if spec.Algorithm == "" || spec.Type() == p.policy.Type() {
		return
	}
	if !p.policy.Ending() {
		p.trouble = &trouble{reason: keywrightv1alpha1.ReasonKeyTypeDiffers, message: fmt.Sprintf(
			"the retained keyring %s has %s keys, but spec.algorithm is %s: the keys of the keyring stay in use. Set an algorithm of "+
				"the same key type, or create a SigningKey with another name", p.name+contract.KeyringSuffix, spec.Algorithm, p.policy.Algorithm)}
	}
	p.policy.KeySpec = spec
}

// freeze keeps all files unchanged except for revoked keys.
func (p *pass) freeze(reason, message string) {
	p.trouble = &trouble{reason: reason, message: message, frozen: true}
}

// refuse records that a write was refused. An admin has to find the cause.
func (p *pass) refuse(failed string, err error) {
	p.refusal = err
	p.trouble = &trouble{reason: keywrightv1alpha1.ReasonWriteRefused, frozen: p.frozen(), message: fmt.Sprintf(
		"%s: %s. Check for immutable: true, a quota, an admission policy or a webhook", failed, shorten(err.Error()))}
}

// shorten limits a message of the API server to a length that fits into a condition.
func shorten(text string) string { return report.Shorten(text, 600) }
