package istio

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The CRD that the tests of the controller install is that of the required version of istio.io/api.
func TestCRDIsIstios(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}} {{.Version}}", "istio.io/api").Output()
	if err != nil {
		t.Fatal(err)
	}
	directory, version, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	all, err := os.ReadFile(filepath.Join(directory, "kubernetes", "customresourcedefinitions.gen.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	ours, err := os.ReadFile("../../controllers/istio/testdata/requestauthentications.yaml")
	if err != nil {
		t.Fatal(err)
	}
	notice, crd, _ := strings.Cut(string(ours), "apiVersion:")
	if !strings.Contains(string(all), "apiVersion:"+strings.TrimRight(crd, "\n")+"\n") {
		t.Errorf("controllers/istio/testdata has another CRD than istio.io/api %s", version)
	}
	if !strings.Contains(notice, version) {
		t.Errorf("its notice does not name %s", version)
	}
}
