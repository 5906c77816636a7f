package verifier

import (
	"slices"
	"strings"
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
	// Revoked is how many values the revocation list in use names, 0 also if there is none.
	Revoked int
	// Loaded is when the key set in use was read for the first time.
	Loaded time.Time
	// Checked is when the source was last seen to hold the key set in use. now - Checked is its age: it grows while the
	// source cannot be read, and Config.MaxStaleness bounds it.
	Checked time.Time
	// Failure is why the key set or the revocation list could not be read at the last look, "" if both could. The last good
	// ones are in use.
	Failure string
}

// of returns a copy for one issuer, which shares nothing.
func (s KeySetStatus) of(issuer string) KeySetStatus {
	s.Issuer, s.KeyIDs = issuer, slices.Clone(s.KeyIDs)
	return s
}

// KeySets returns the state of each issuer's keys, sorted by issuer. Issuers with the same source have the same state.
func (v *Verifier) KeySets() []KeySetStatus {
	var all []KeySetStatus
	for _, b := range v.bindings {
		for _, issuer := range b.issuers {
			all = append(all, b.feed.status.Load().of(issuer))
		}
	}
	slices.SortFunc(all, func(a, b KeySetStatus) int { return strings.Compare(a.Issuer, b.Issuer) })
	return all
}
