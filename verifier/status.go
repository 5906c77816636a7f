package verifier

import (
	"slices"
	"strings"
	"time"
)

// KeySetStatus is the status of the keys of one issuer.
type KeySetStatus struct {
	// Issuer is the iss of the tokens, and Source the path or URL of the keys.
	Issuer, Source string
	// KeyIDs are the sorted kids of the keys in use.
	KeyIDs []string
	// Digest identifies the key set in use: the first 64 bits of the SHA-256 of its bytes in hexadecimal, as in the
	// controller's metric keywright_keyset_info.
	Digest string
	// Revoked is the number of entries in the revocation list in use, 0 if there is no list.
	Revoked int
	// Loaded is when the key set in use was first read.
	Loaded time.Time
	// Checked is when the source was last read successfully. now - Checked is the age of the key set, which grows
	// while the source cannot be read, and which Config.MaxStaleness limits.
	Checked time.Time
	// Failure is why the last poll could not read the key set or the revocation list, or "". The last valid ones are
	// in use.
	Failure string
}

// of returns a deep copy for one issuer.
func (s KeySetStatus) of(issuer string) KeySetStatus {
	s.Issuer, s.KeyIDs = issuer, slices.Clone(s.KeyIDs)
	return s
}

// KeySets returns the status of each issuer's keys, sorted by issuer. Issuers with the same source have the same
// status.
func (v *Verifier) KeySets() []KeySetStatus {
	var all []KeySetStatus
	for _, b := range v.issuerVerifiers {
		for _, issuer := range b.issuers {
			all = append(all, b.poller.status.Load().of(issuer))
		}
	}
	slices.SortFunc(all, func(a, b KeySetStatus) int { return strings.Compare(a.Issuer, b.Issuer) })
	return all
}
