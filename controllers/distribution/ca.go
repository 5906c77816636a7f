package distribution

import (
	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/controllers/desired"
)

// fitCA leaves a CA as it stands, or leaves it out, and returns by how many bytes less there are. No key is refused for want of one.
func (c *composition) fitCA(name string) int {
	file := name + contract.CASuffix
	wanted, stands := c.data[file], desired.CAIn(c.found, c.was[name], name)
	if len(wanted) <= len(stands) {
		return 0
	}
	delete(c.data, file)
	c.setCA(name, stands)
	c.leftOut = append(c.leftOut, file)
	return len(wanted) - len(stands)
}

func (c *composition) setCA(name, ca string) {
	if ca != "" {
		c.data[name+contract.CASuffix] = ca
	}
}

// lookForPlantedCA notes a CA that stands and that this controller did not write.
func (c *composition) lookForPlantedCA(name string) {
	file := name + contract.CASuffix
	if found, stands := c.found[file]; stands && found != c.data[file] && desired.Digest(found) != c.was[name].CADigest {
		c.unexpected = append(c.unexpected, file)
	}
}
