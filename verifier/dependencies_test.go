package verifier_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// What a service takes in with this module is go-jose and the standard library.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	paths := strings.Fields(string(bytes.TrimSpace(out)))
	for _, path := range paths {
		if !strings.HasPrefix(path, "github.com/go-jose/go-jose/v4") && !strings.HasPrefix(path, "github.com/keywright/keywright/verifier") {
			t.Errorf("it depends on %s", path)
		}
	}
	if len(paths) < 2 {
		t.Errorf("the list is not one: %v", paths)
	}
}
