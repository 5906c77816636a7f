package desired

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/report"
)

// GatewayClaim is an object that asks for contract.GatewayFile.
type GatewayClaim struct {
	Name       string
	Projection Projection
}

// GatewayClaims returns who asks for contract.GatewayFile, the first one created first.
func GatewayClaims(all map[string]Projection) []GatewayClaim {
	var claims []GatewayClaim
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if p := all[name]; !p.GatewayEntry.IsZero() {
			claims = append(claims, GatewayClaim{name, p})
		}
	}
	slices.SortStableFunc(claims, func(a, b GatewayClaim) int {
		return cmp.Or(a.Projection.GatewayEntry.Compare(b.Projection.GatewayEntry), strings.Compare(a.Name, b.Name))
	})
	return claims
}

// GatewayTaken counts the namespaces where another object has the entry.
type GatewayTaken struct {
	before []GatewayClaim
	// by is who has it, by namespace.
	by map[string]string
}

// NewGatewayTaken returns what an object has to count with, nil if it does not ask for the entry.
func NewGatewayTaken(all map[string]Projection, name string, asks bool) *GatewayTaken {
	if !asks {
		return nil
	}
	g := &GatewayTaken{by: map[string]string{}}
	for _, claim := range GatewayClaims(all) {
		if claim.Name == name {
			return g
		}
		g.before = append(g.before, claim)
	}
	return &GatewayTaken{by: g.by} // not handed over yet: nobody is known to be before it
}

// Look counts one namespace that is selected.
func (g *GatewayTaken) Look(namespace string, of labels.Set) {
	if g == nil {
		return
	}
	for _, claim := range g.before {
		if claim.Projection.Selects(namespace, of) {
			g.by[namespace] = claim.Name
			return
		}
	}
}

// Condition says whether the entry is written everywhere. It is nil if it was not asked for.
func (g *GatewayTaken) Condition() *metav1.Condition {
	const kind = keywrightv1alpha1.ConditionGatewayEntry
	switch {
	case g == nil:
		return nil
	case len(g.by) == 0:
		c := report.Condition(kind, true, keywrightv1alpha1.ReasonEntryWritten, "the entry jwks of every selected namespace has this key set")
		return &c
	}
	names := slices.Sorted(maps.Keys(g.by))
	c := report.Condition(kind, false, keywrightv1alpha1.ReasonEntryTaken, fmt.Sprintf(
		"in %d namespaces the entry jwks has the key set of %s, which was created first: %s", len(names), g.by[names[0]], report.Names(names)))
	return &c
}

// gatewayEntry is the creation time of an object that asks for the entry.
func gatewayEntry(asks bool, created metav1.Time) time.Time {
	if !asks {
		return time.Time{}
	}
	return created.Time
}

// GatewayEntryOf returns what a projection of a SigningKey says of the entry.
func GatewayEntryOf(key *keywrightv1alpha1.SigningKey) time.Time {
	return gatewayEntry(key.Spec.Distribution.GatewayEntry, key.CreationTimestamp)
}
