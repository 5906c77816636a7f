package verifier

import (
	"slices"
	"time"
)

// KeySetStatus is what a Verifier knows of the keys of one issuer.
type KeySetStatus struct {
	// Issuer is the iss that the keys sign for, and Source where they come from.
	Issuer, Source string
	// KeyIDs are the kids of the keys in use, sorted.
	KeyIDs []string
	// Digest is that of the key set in use: the first 64 bits of the SHA-256 of its bytes in hexadecimal, as the
	// controller's metric keywright_keyset_info has it.
	Digest string
	// Loaded is when the key set in use was read for the first time.
	Loaded time.Time
	// Checked is when the source was last seen to hold the key set in use. now - Checked is its age: it grows while the
	// source cannot be read, and Config.MaxStaleness bounds it.
	Checked time.Time
	// Failure is why the source could not be read at the last look, "" if it could.
	Failure string
}

// clone returns a copy that shares nothing.
func (s KeySetStatus) clone() KeySetStatus {
	s.KeyIDs = slices.Clone(s.KeyIDs)
	return s
}

// KeySets returns the state of each issuer's keys, sorted by issuer.
func (v *Verifier) KeySets() []KeySetStatus {
	var all []KeySetStatus
	for _, b := range v.bindings {
		all = append(all, b.feed.status.Load().clone())
	}
	return all
}
