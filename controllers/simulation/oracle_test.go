package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/keywright/keywright/api/contract"
)

// summary returns the end state of a schedule without what must differ between two runs: key names, times, generations,
// resource versions, and numbers of revocations. Equal actions of users must lead to equal summaries, whatever faults
// occurred (the oracle of Sieve, OSDI 2022).
func (w *world) summary() string {
	key, r := w.key(), w.readable()
	if key == nil || r == nil || !w.users.wanted {
		return "" // the result of a deletion depends on when it completed
	}
	var b strings.Builder
	fmt.Fprintf(&b, "finalizers %v, deleted %v, spec as wanted %v\n", key.Finalizers, key.DeletionTimestamp != nil,
		key.Spec.Token == w.users.spec.Token && key.Spec.Rotation == w.users.spec.Rotation)
	for _, c := range key.Status.Conditions {
		fmt.Fprintf(&b, "%s=%s %s\n", c.Type, c.Status, c.Reason)
	}
	targets := key.Status.Targets
	targets.Kept = 0 // depends on when a deselection was seen
	fmt.Fprintf(&b, "targets %+v\n", targets)
	for _, state := range []string{"Standby", "Active"} {
		for i := range r.Keys {
			if k := &r.Keys[i]; k.Published() && string(k.State) == state {
				fmt.Fprintf(&b, "%s, algorithm as wanted %v, private %v\n", state, k.Algorithm == string(key.Spec.Algorithm), len(k.Private) > 0)
			}
		}
	}
	for _, of := range []ref{keyringRef, secretRef} {
		if s := w.secret(of); s != nil {
			fmt.Fprintf(&b, "%s: %v %v %v, immutable %v\n", of, slices.Sorted(maps.Keys(s.Data)), s.Labels, s.Type, isTrue(s.Immutable))
		}
	}
	for _, ns := range w.targets() {
		cm := w.configMap(ns.GetName())
		if ns.GetDeletionTimestamp() != nil || cm == nil {
			continue
		}
		fmt.Fprintf(&b, "%s: current %v, list %v, labels %v, immutable %v\n", ns.GetName(),
			w.fileIn(ns.GetName()) == keySetOf(r), cm.Data[signingKey+contract.RevokedSuffix] != "", cm.Labels, isTrue(cm.Immutable))
	}
	return b.String()
}

// compare runs a schedule again without faults of the infrastructure, and compares the end states.
func (w *world) compare(n uint64) {
	if w.wrong != "" {
		return
	}
	clean := simulate(n, true, true)
	if clean.wrong != "" {
		w.violate("without faults: %s", clean.wrong)
		return
	}
	if a, b := w.end, clean.end; a != b && a != "" && b != "" {
		w.violate("the end differs from that without faults:\n%s\nwithout:\n%s", a, b)
	}
}
