package rotation

import "time"

// Observed is what was read of the keyring's projections. It may be old, never invented.
//
// A pass can be held up for hours between reading and planning. So Plan takes two times: what it records bears now, the
// later one, and what it decides goes by At, the earlier one.
type Observed struct {
	// At is the caller's clock just before it began to read.
	At     time.Time
	Secret Secret
	// Lagging counts, for each published key, the awaited targets whose file lacks it. A key that is not in the map is
	// everywhere.
	Lagging map[string]int
	// HeldSince is, for each published key, when the caller last saw an awaited target come to hold it: not before it began to
	// watch them. What happened to the targets before that, nobody knows, so a Standby waits from there.
	HeldSince map[string]time.Time
	// HandedOver is, for each published key, when this process first handed it to the distribution. A key that is not in the map
	// was not handed over yet.
	HandedOver map[string]time.Time
	// Digest is one of the resource versions of all awaited projections, empty if it was not made.
	Digest string
	// Holders counts the files that hold any key of this SigningKey, whoever wrote it, in namespaces that can be written to.
	Holders int
	// Holding counts, for each revoked key, the files that still hold it: those of all targets and of all namespaces that
	// keep their file. A key that is not in the map is in none.
	Holding map[string]int
	// Nudged says, for each revoked key and each TokenRevocation by its UID, when the nudging of the pods that may trust it was done.
	// What is not in the map waits for it.
	Nudged map[string]Nudged
	// Listed has the UIDs of the TokenRevocations that the signing-key Secret and every file list.
	Listed map[string]bool
	// CA is what the source of the issuer's CA holds.
	CA CASource
	// Files counts the files that a change of the list writes, and FileBytes is the size of the largest ConfigMap among them.
	Files, FileBytes int
}

// Secret is what was read of the signing-key Secret.
type Secret struct {
	// Present is false when there is no such Secret. Issuers then go on with the files they have.
	Present bool
	// ID tells one Secret from another of the same name that was created later.
	ID string
	// Generation is that of the keyring which the Secret was made from.
	Generation int64
	// ActiveID is the kid of its active.jwk, empty if it has none.
	ActiveID string
	// Published are the kids in its jwks.json.
	Published []string
	// Sealing are the numbers of the keys in its sealing.json, and SealingInUse that of the one in use, 0 if there is none.
	Sealing      []int64
	SealingInUse int64
}
