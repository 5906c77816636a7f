package distribution

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/desired"
)

// EntombedFor is how long a tombstone stays whose name nobody answers for: longer than any file may lag.
const EntombedFor = 24 * time.Hour

// mostEntombed bounds the tombstones that nobody answers for: the API server refuses annotations of more than 256 KiB, and who
// plants thousands of files must not keep a ConfigMap from being written.
const mostEntombed = 200

// entombAll takes away the keys of names that nobody answers for, those that this controller wrote first. What is above the bound was
// planted, and is left out.
func (c *composition) entombAll(names []string) {
	planted := func(name string) int {
		if desired.Digest(c.found[name+contract.JWKSSuffix]) == c.was[name].Digest {
			return 0
		}
		return 1
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(planted(a)-planted(b), strings.Compare(a, b)) })
	for _, name := range names {
		if len(c.entombed) < mostEntombed {
			c.entomb(name, c.found[name+contract.JWKSSuffix])
		}
	}
}

// entomb takes away the keys of a name that nobody answers for: a SigningKey or TrustedIssuer that is gone, or a file that somebody else wrote.
func (c *composition) entomb(name, content string) {
	r := c.was[name]
	if !issuerfiles.TrustsNobody(content) {
		keys, err := issuerfiles.DecodeKeySet([]byte(content))
		if err != nil || len(keys) == 0 {
			return
		}
		content = string(issuerfiles.Tombstone(issuerfiles.Algorithm(keys[0].JWK)))
		r.TakenAwayAt = nil
	}
	r = c.takenAway(r)
	r.Generation = 0 // of no keyring: one of the same name begins anew
	if end := r.TakenAwayAt.Add(EntombedFor); c.now.Before(end) {
		c.data[name+contract.JWKSSuffix], c.records[name], c.entombed[name] = content, r, true
		c.wakeAt(end)
	}
}

// takenAway stamps a record with the time since which its key set is a tombstone.
func (c *composition) takenAway(r desired.Record) desired.Record {
	if r.TakenAwayAt == nil || r.TakenAwayAt.After(c.now) {
		now := c.now.UTC().Truncate(time.Second)
		r.TakenAwayAt = &now
	}
	return r
}
