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

// GatewayClaim is an object that requests contract.GatewayFile.
type GatewayClaim struct {
	Name       string
	Projection Projection
}

// GatewayClaims returns the objects that request contract.GatewayFile, ordered by creation time.
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

// GatewayTaken has the namespaces in which another object has the entry.
type GatewayTaken struct {
	before []GatewayClaim
	// by is the object that has the entry, by namespace.
	by map[string]string
}

// NewGatewayTaken returns a GatewayTaken for an object, nil if it does not request the entry.
func NewGatewayTaken(all map[string]Projection, name string, requested bool) *GatewayTaken {
	if !requested {
		return nil
	}
	g := &GatewayTaken{by: map[string]string{}}
	for _, claim := range GatewayClaims(all) {
		if claim.Name == name {
			return g
		}
		g.before = append(g.before, claim)
	}
	return &GatewayTaken{by: g.by} // its projection was not handed over yet
}

// Add counts a selected namespace.
func (g *GatewayTaken) Add(namespace string, of labels.Set) {
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

// Condition returns the condition GatewayEntry, nil if the entry is not requested.
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

// gatewayEntry returns the creation time of an object that requests the entry, zero for others.
func gatewayEntry(requested bool, created metav1.Time) time.Time {
	if !requested {
		return time.Time{}
	}
	return created.Time
}

// GatewayEntryOf returns the value of Projection.GatewayEntry for a SigningKey.
func GatewayEntryOf(key *keywrightv1alpha1.SigningKey) time.Time {
	return gatewayEntry(key.Spec.Distribution.GatewayEntry, key.CreationTimestamp)
}
