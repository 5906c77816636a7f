package distribution

import (
	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/desired"
)

// gateway decides about the entry that gateways read. It is a copy of the key set of the first object that asks for it and has a file here.
// When nobody does any more it becomes a tombstone for a while, as every other file does: without it, Envoy Gateway would take another one.
func (c *composition) gateway(projections map[string]desired.Projection) {
	found, stands := c.found[contract.GatewayFile]
	was := c.was[desired.GatewayRecord]
	if owner := c.gatewayOwner(projections, was.Owner); owner != "" {
		content := c.data[owner+contract.JWKSSuffix]
		if c.bytes()+len(content) > mostBytes && !stands {
			c.leftOut = append(c.leftOut, contract.GatewayFile)
			return
		}
		c.setGateway(content, desired.Record{Owner: owner})
	} else if stands {
		c.endGateway(found, was)
	}
	if stands && found != c.data[contract.GatewayFile] && desired.Digest(found) != was.Digest {
		c.unexpected = append(c.unexpected, contract.GatewayFile)
	}
}

func (c *composition) setGateway(content string, r desired.Record) {
	r.Digest = desired.Digest(content)
	c.data[contract.GatewayFile], c.records[desired.GatewayRecord] = content, r
}

// endGateway takes the keys out of an entry that nobody asks for.
func (c *composition) endGateway(found string, was desired.Record) {
	algorithm := issuerfiles.AlgorithmOfSet([]byte(found))
	if algorithm == "" {
		return // no key set: somebody planted it
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

// gatewayOwner returns whose key set the entry is, empty if it is nobody's. Of those that ask for it, one with keys goes before one that ended here.
// The one of before stays while its object cannot be asked: its keyring was retained, or was not read yet.
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
	p, answered := projections[before]
	if _, has := c.data[before+contract.JWKSSuffix]; has && answered && (p.Frozen || p.Selector == nil) {
		return before
	}
	return ""
}

// bytes is how many bytes of files there are.
func (c *composition) bytes() int {
	total := 0
	for _, content := range c.data {
		total += len(content)
	}
	return total
}
