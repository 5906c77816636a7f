package distribution

import (
	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/desired"
)

// gateway sets the entry that gateways read: the key set of the first object that requests it and has a file here. If
// none does, the entry becomes a tombstone for a while, like other files. Without it, Envoy Gateway would read another
// entry.
func (c *composition) gateway(projections map[string]desired.Projection) {
	found, exists := c.found[contract.GatewayFile]
	was := c.was[desired.GatewayRecord]
	if owner := c.gatewayOwner(projections, was.Owner); owner != "" {
		content := c.data[owner+contract.JWKSSuffix]
		if c.bytes()+len(content) > maxBytes && !exists {
			c.leftOut = append(c.leftOut, contract.GatewayFile)
			return
		}
		c.setGateway(content, desired.Record{Owner: owner})
	} else if exists {
		c.endGateway(found, was)
	}
	if exists && found != c.data[contract.GatewayFile] && desired.Digest(found) != was.Digest {
		c.unexpected = append(c.unexpected, contract.GatewayFile)
	}
}

func (c *composition) setGateway(content string, r desired.Record) {
	r.Digest = desired.Digest(content)
	c.data[contract.GatewayFile], c.records[desired.GatewayRecord] = content, r
}

// endGateway replaces an entry that is no longer requested by a tombstone.
func (c *composition) endGateway(found string, was desired.Record) {
	algorithm := issuerfiles.AlgorithmOfSet([]byte(found))
	if algorithm == "" {
		return // not a key set, so another client wrote it
	}
	r := desired.Record{TakenAwayAt: was.TakenAwayAt}
	if !issuerfiles.TrustsNobody(found) {
		r.TakenAwayAt = nil
	}
	r = c.takenAway(r)
	if end := r.TakenAwayAt.Add(EntombedFor); c.now.Before(end) {
		c.setGateway(string(issuerfiles.Tombstone(algorithm)), r)
		c.wakeAt(end)
	}
}

// gatewayOwner returns the name of the object whose key set is in the entry, or empty. Among those that request it,
// objects with keys come before those whose trust has ended. The previous owner stays while its request is not known,
// because its keyring was retained or was not read yet.
func (c *composition) gatewayOwner(projections map[string]desired.Projection, before string) string {
	var ended string
	for _, claim := range desired.GatewayClaims(projections) {
		content, has := c.data[claim.Name+contract.JWKSSuffix]
		switch {
		case has && !issuerfiles.TrustsNobody(content):
			return claim.Name
		case has && ended == "":
			ended = claim.Name
		}
	}
	if ended != "" {
		return ended
	}
	p, claimed := projections[before]
	if _, has := c.data[before+contract.JWKSSuffix]; has && claimed && (p.Frozen || p.Selector == nil) {
		return before
	}
	return ""
}

// bytes returns the size of all files.
func (c *composition) bytes() int {
	total := 0
	for _, content := range c.data {
		total += len(content)
	}
	return total
}
