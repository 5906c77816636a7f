package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The values that docs/trustedissuer.md shows have the chart create what they name.
func TestDocumentedTrustedIssuers(t *testing.T) {
	var tried, created int
	for _, block := range pageBlocks(t, "trustedissuer.md", "yaml") {
		if !strings.HasPrefix(block, "trustedIssuers:") {
			continue
		}
		tried++
		values := filepath.Join(t.TempDir(), "values.yaml")
		if err := os.WriteFile(values, []byte(block), 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := template(t, "helm4", "--values", values)
		if err != nil {
			t.Fatal(err)
		}
		fetcher := false
		for _, o := range objects(t, text) {
			fetcher = fetcher || o.GetKind() == "Deployment" && o.GetName() == "keywright-fetcher"
			if o.GetKind() == "TrustedIssuer" {
				created++
			}
		}
		if !fetcher {
			t.Errorf("no fetcher is installed with\n%s", block)
		}
	}
	if tried != 2 || created != 1 {
		t.Errorf("%d blocks of values create %d TrustedIssuers", tried, created)
	}
}
