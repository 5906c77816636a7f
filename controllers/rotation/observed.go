package rotation

import "time"

// Observed is the observed state of the keyring's projections. It may be stale.
//
// A reconciliation may be delayed for hours between reading and planning, so Plan takes two times: it records with
// the later one, now, and decides with the earlier one, At.
type Observed struct {
	// At is the time before the first read.
	At     time.Time
	Secret Secret
	// Lagging is the number of awaited targets whose file lacks a published key. A key that is not in the map is
	// published everywhere.
	Lagging map[string]int
	// HeldSince is when an awaited target was last observed to get a published key. It is not before the start of the
	// watch, because earlier changes of the targets are not known.
	HeldSince map[string]time.Time
	// HandedOver is when this process first passed a published key to the distribution. A key that is not in the map
	// was not passed yet.
	HandedOver map[string]time.Time
	// Digest is a digest of the resource versions of all awaited projections, or "".
	Digest string
	// Holders is the number of files with any key of this SigningKey, in namespaces that can be written to.
	Holders int
	// Holding is the number of files with a revoked key, in all targets and in all namespaces that keep their file. A
	// key that is not in the map is in none.
	Holding map[string]int
	// Nudged is when the nudging of pods was completed, by revoked key and by UID of a TokenRevocation. Entries that
	// are not in the map are pending.
	Nudged map[string]Nudged
	// Listed contains the UIDs of the TokenRevocations that the signing-key Secret and every file list.
	Listed map[string]bool
	// Heard contains the UIDs of the TokenRevocations that the signing-key Secret lists.
	Heard map[string]bool
	// CA is the source of the issuer's CA.
	CA CASource
	// Files is the number of files that a change of the list writes, and FileBytes the size of the largest ConfigMap
	// among them.
	Files, FileBytes int
}

// Secret is the observed signing-key Secret.
type Secret struct {
	// Present is false if the Secret does not exist. Issuers then keep the files they have.
	Present bool
	// ID distinguishes Secrets of the same name.
	ID string
	// Generation is the generation of the keyring that the Secret was made from.
	Generation int64
	// ActiveID is the kid of its active.jwk, or "".
	ActiveID string
	// Published are the kids in its jwks.json.
	Published []string
	// Sealing are the numbers of the keys in its sealing.json, and SealingInUse that of the key in use, or 0.
	Sealing      []int64
	SealingInUse int64
}
