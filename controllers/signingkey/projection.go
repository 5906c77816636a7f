package signingkey

import (
	"slices"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/keystore"
	"github.com/keywright/keywright/controllers/rotation"
)

// projection returns what the files of this name must contain, and false for a name that has neither SigningKey nor
// Secrets. A SigningKey that has ended keeps its targets: running pods may still have the keys of a missing ConfigMap,
// and must get the tombstone.
func (p *pass) projection(keyNamespace string) (desired.Projection, bool) {
	ring := &p.keyring.Ring
	if p.key == nil {
		list := keystore.RevokedIn(p.secret)
		switch {
		case p.unreadable == nil && p.keyring.Object != nil:
			return desired.New(ring, rotation.Policy{}, issuerfiles.Revoked{KeyIDs: list.KeyIDs}, p.confirmed), true
		case p.unreadable != nil || p.secret != nil:
			return desired.NewFrozen(list, allKeysIn(p.secret), "", p.confirmed), true
		}
		return desired.Projection{}, false
	}
	if p.projectsFrozen() {
		held := slices.Concat(ring.PublishedIDs(), allKeysIn(p.secret), p.targets.held)
		frozen := desired.NewFrozen(keystore.RevokedIn(p.secret).Union(p.pendingList()), held, keyNamespace, p.confirmed)
		frozen.GatewayEntry = desired.GatewayEntryOf(p.key)
		return frozen, true
	}
	var also issuerfiles.Revoked
	if p.unrecorded || p.refusal != nil && p.policy.Deleting {
		also = p.pendingList()
	}
	projection := desired.New(ring, p.policy, also, p.confirmed)
	projection.Selector, projection.KeyNamespace = p.targets.selector, keyNamespace
	projection.KeepFor, projection.GatewayEntry = p.policy.KeepFor(ring), desired.GatewayEntryOf(p.key)
	return projection, true
}

// projectsFrozen reports whether there is no usable keyring, so that the files stay unchanged except for revoked keys.
func (p *pass) projectsFrozen() bool {
	return p.frozen() || p.unrecorded && (p.keyring.Object == nil || p.unreadable != nil)
}
