package controllers

import (
	"fmt"
	"slices"
	"testing"

	"github.com/keywright/keywright/controllers/wiring"
)

// A tenant that adds thousands of small files must not prevent writes of its ConfigMap.
func TestManyPlantedFiles(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	leaked := w.signs()
	cm := w.configMap(w.targets[0])
	for i := range 4000 {
		cm.Data[fmt.Sprintf("p%d.json", i)] = `{"keys":[{}]}`
	}
	w.must(w.Update(t.Context(), cm))
	w.revoke(leaked)
	w.reconcileKey()
	_, err := w.files.Reconcile(t.Context(), wiring.Named(w.targets[0]))
	if err != nil {
		t.Errorf("%.600s", err)
	}
	if slices.Contains(w.trusted(w.targets[0]), leaked) {
		t.Error("the revoked key stays")
	}
}
