package main

import (
	"slices"
	"strings"
	"testing"
)

// One key ID in 64 begins with a dash.
func TestKeyIDsThatLookLikeFlags(t *testing.T) {
	const kid = "-YXmKlkWSd1woAw70SXrqD8CFKLuCedafb53Ejghi2I"
	for line, want := range map[string]string{
		"revoke main " + kid + " --yes":           "revoke main --yes -- " + kid,
		"revoke main -- " + kid:                   "revoke main -- " + kid,
		"revoke main " + kid[1:] + " -y":          "revoke main " + kid[1:] + " -y",
		"revoke main --key " + kid + " -y":        "revoke main --key " + kid + " -y",
		"revoke main --jti " + kid:                "revoke main --jti " + kid,
		"revoke main --yes " + kid:                "revoke main --yes -- " + kid,
		"revoke main --kubeconfig=" + kid + " -y": "revoke main --kubeconfig=" + kid + " -y",
	} {
		if got := kidsLast(strings.Fields(line)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %v", line, got)
		}
	}
	for _, args := range [][]string{{"revoke", "missing", kid, "--yes"}, {"revoke", "missing", "--key", kid, "--yes"}} {
		if _, _, err := try(t, "", args...); err == nil || !strings.Contains(err.Error(), `no SigningKey "missing"`) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
