package desired

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/rotation"
)

// Projection is what the distribution knows of one SigningKey, or of one TrustedIssuer: what its files must be, and where.
type Projection struct {
	// Foreign is set for a TrustedIssuer. It has no revocation list, and no Secrets.
	Foreign bool
	// Generation of the keyring that the files were made from, or of the TrustedIssuer with what was fetched. It only grows.
	Generation int64
	Files      Files
	// Tombstone is the key set of a namespace that is to trust nobody any more.
	Tombstone string
	// Revoked keys must be in no file, whatever else holds.
	Revoked []string
	// List is the revocation list. What that of a Frozen projection names is added to what the files say.
	List issuerfiles.Revoked
	// Selector selects the targets. It is nil for a keyring that was retained, when nobody is given the files anew, and while the
	// spec's selector is invalid: the keyring then counts wherever its file stands.
	Selector labels.Selector
	// KeyNamespace is a target whatever the selector says, empty if there are no targets.
	KeyNamespace string
	// KeepFor is how long a namespace that is no longer selected keeps its file.
	KeepFor time.Duration
	// GatewayEntry is the creation time of an object that asks for contract.GatewayFile, zero for one that does not.
	GatewayEntry time.Time
	// Frozen leaves every key set as it is, but for revoked keys: the keyring cannot be trusted or read.
	Frozen bool
	// Held are the kids that Secret and files of a Frozen projection have: what is known of its keys.
	Held []string
	// Confirmed is when the keyring was last read from the API server itself.
	Confirmed time.Time
}

// New projects a keyring that was just read or written. also is revoked without being recorded in it.
func New(ring *rotation.Keyring, policy rotation.Policy, also issuerfiles.Revoked, now time.Time) Projection {
	return Projection{
		Generation: ring.Generation, Files: FilesOf(ring, policy, also), Revoked: RevokedIDs(ring, also.KeyIDs), List: RevokedOf(ring, also),
		Tombstone: string(issuerfiles.Tombstone(tombstoneAlgorithm(ring, policy))), Confirmed: now,
	}
}

// NewFrozen leaves what stands as it is, but for what is revoked. held are the kids that Secret and files have.
func NewFrozen(list issuerfiles.Revoked, held []string, keyNamespace string, now time.Time) Projection {
	return Projection{
		Frozen: true, Held: held, Revoked: list.KeyIDs, List: list, KeyNamespace: keyNamespace, Confirmed: now,
		Files: Files{Revoked: string(list.Encode())},
	}
}

// Lacks reports whether a revocation list that stands, made from a keyring of a generation, names what this projection does not. Ended
// tokens that a newer keyring does not name have expired.
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

// same reports whether two projections ask for the same files. Being confirmed again changes nothing.
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
