package distribution

import (
	"maps"
	"slices"

	"github.com/keywright/keywright/api/contract"
)

// maxBytes limits the files of a ConfigMap: 1 MiB, less what names and records take up.
const maxBytes = 1<<20 - 64<<10

// fit leaves out new files until the others have room, so that files in use are not affected. Existing files have room.
func (c *composition) fit() {
	total := 0
	for _, content := range c.data {
		total += len(content)
	}
	names := slices.Sorted(maps.Keys(c.records))
	for _, name := range slices.Backward(names) {
		if total > maxBytes {
			total -= c.fitCA(name)
		}
	}
	for _, name := range slices.Backward(names) {
		keySet, list, ca := name+contract.JWKSSuffix, name+contract.RevokedSuffix, name+contract.CASuffix
		if _, exists := c.found[keySet]; total <= maxBytes || exists && !c.entombed[name] {
			continue
		}
		total -= len(c.data[keySet]) + len(c.data[list]) + len(c.data[ca])
		delete(c.data, keySet)
		delete(c.data, list)
		delete(c.data, ca)
		delete(c.records, name)
		c.leftOut = append(c.leftOut, keySet)
	}
	slices.Sort(c.leftOut)
}
