package distribution

import (
	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/controllers/desired"
)

// fitCA replaces a CA by the existing one, or removes it, and returns how many bytes that saves. Keys need no CA.
func (c *composition) fitCA(name string) int {
	file := name + contract.CASuffix
	wanted, existing := c.data[file], desired.CAIn(c.found, c.was[name], name)
	if len(wanted) <= len(existing) {
		return 0
	}
	delete(c.data, file)
	c.setCA(name, existing)
	c.leftOut = append(c.leftOut, file)
	return len(wanted) - len(existing)
}

func (c *composition) setCA(name, ca string) {
	if ca != "" {
		c.data[name+contract.CASuffix] = ca
	}
}

// detectUnexpectedCA records an existing CA that this controller did not write.
func (c *composition) detectUnexpectedCA(name string) {
	file := name + contract.CASuffix
	if found, exists := c.found[file]; exists && found != c.data[file] && desired.Digest(found) != c.was[name].CADigest {
		c.unexpected = append(c.unexpected, file)
	}
}
