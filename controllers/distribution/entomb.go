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

// EntombedFor is how long a tombstone without a projection stays. It is longer than any propagation delay.
const EntombedFor = 24 * time.Hour

// maxEntombed limits the tombstones without a projection. The API server refuses annotations of more than 256 KiB, and
// an attacker who adds thousands of files must not prevent writes of the ConfigMap.
const maxEntombed = 200

// entombAll replaces the key sets of names without a projection by tombstones, first those that this controller wrote.
// Files above the limit were added by another client, and are left out.
func (c *composition) entombAll(names []string) {
	planted := func(name string) int {
		if desired.Digest(c.found[name+contract.JWKSSuffix]) == c.was[name].Digest {
			return 0
		}
		return 1
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(planted(a)-planted(b), strings.Compare(a, b)) })
	for _, name := range names {
		if len(c.entombed) < maxEntombed {
			c.entomb(name, c.found[name+contract.JWKSSuffix])
		}
	}
}

// entomb replaces the key set of a name without a projection by a tombstone: of a deleted SigningKey or TrustedIssuer,
// or of another client.
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
	r.Generation = 0 // a new keyring of the same name starts again
	if end := r.TakenAwayAt.Add(EntombedFor); c.now.Before(end) {
		c.data[name+contract.JWKSSuffix], c.records[name], c.entombed[name] = content, r, true
		c.wakeAt(end)
	}
}

// takenAway sets the time since which the key set of a record is a tombstone.
func (c *composition) takenAway(r desired.Record) desired.Record {
	if r.TakenAwayAt == nil || r.TakenAwayAt.After(c.now) {
		now := c.now.UTC().Truncate(time.Second)
		r.TakenAwayAt = &now
	}
	return r
}
