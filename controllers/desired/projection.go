package desired

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/rotation"
)

// Projection has the files of one SigningKey or TrustedIssuer, and their targets.
type Projection struct {
	// Foreign is set for a TrustedIssuer. It has no revocation list, and no Secrets.
	Foreign bool
	// Generation is that of the keyring, or of the TrustedIssuer together with its fetched keys. It only increases.
	Generation int64
	Files      Files
	// Tombstone is the key set for a namespace in which trust has ended.
	Tombstone string
	// Revoked are keys that must be in no file, in any case.
	Revoked []string
	// List is the revocation list. That of a Frozen projection is added to the list in the files.
	List issuerfiles.Revoked
	// Selector selects the targets. It is nil for a retained keyring and for an invalid selector. Then no namespace gets
	// new files, and existing files are kept up to date.
	Selector labels.Selector
	// KeyNamespace is always a target. It is empty if there are no targets.
	KeyNamespace string
	// KeepFor is how long a namespace that is no longer selected keeps its file.
	KeepFor time.Duration
	// GatewayEntry is the creation time of an object that requests contract.GatewayFile, zero for others.
	GatewayEntry time.Time
	// Frozen keeps every key set unchanged except for revoked keys, since the keyring is not usable.
	Frozen bool
	// Held are the kids in the Secret and the files, for a Frozen projection.
	Held []string
	// Confirmed is when the keyring was last read from the API server.
	Confirmed time.Time
}

// New returns the projection of a keyring that was just read or written. also has revocations that are not in the
// keyring.
func New(ring *rotation.Keyring, policy rotation.Policy, also issuerfiles.Revoked, now time.Time) Projection {
	return Projection{
		Generation: ring.Generation, Files: FilesOf(ring, policy, also), Revoked: RevokedIDs(ring, also.KeyIDs), List: RevokedOf(ring, also),
		Tombstone: string(issuerfiles.Tombstone(tombstoneAlgorithm(ring, policy))), Confirmed: now,
	}
}

// NewFrozen returns a Frozen projection. held are the kids in the Secret and the files.
func NewFrozen(list issuerfiles.Revoked, held []string, keyNamespace string, now time.Time) Projection {
	return Projection{
		Frozen: true, Held: held, Revoked: list.KeyIDs, List: list, KeyNamespace: keyNamespace, Confirmed: now,
		Files: Files{Revoked: string(list.Encode())},
	}
}

// Lacks reports whether an existing revocation list, made from a keyring of a generation, has entries that this
// projection lacks. Token entries that a newer keyring lacks have expired.
func (p *Projection) Lacks(list issuerfiles.Revoked, generation int64) bool {
	if slices.ContainsFunc(list.KeyIDs, func(id string) bool { return !slices.Contains(p.Revoked, id) }) {
		return true
	}
	if generation < p.Generation {
		return false
	}
	for digest, before := range list.Ended {
		if p.List.Ended[digest].Before(before) {
			return true
		}
	}
	return list.AllBefore.After(p.List.AllBefore)
}

// Selects reports whether a namespace is a target.
func (p *Projection) Selects(namespace string, of labels.Set) bool {
	return p.KeyNamespace != "" && namespace == p.KeyNamespace || p.Selector != nil && p.Selector.Matches(of)
}

// same reports whether two projections result in the same files. It ignores Confirmed.
func (p Projection) same(o Projection) bool {
	return p.Foreign == o.Foreign && p.GatewayEntry.Equal(o.GatewayEntry) && p.Generation == o.Generation && p.Files == o.Files && p.Tombstone == o.Tombstone && p.KeepFor == o.KeepFor &&
		p.Frozen == o.Frozen && p.KeyNamespace == o.KeyNamespace && slices.Equal(p.Revoked, o.Revoked) &&
		selectorString(p.Selector) == selectorString(o.Selector)
}

func selectorString(s labels.Selector) string {
	if s == nil {
		return "retained"
	}
	return "selected:" + s.String()
}
