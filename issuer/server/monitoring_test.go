package server

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// Alerts, dashboard and documents name metrics of the issuer that exist.
func TestMonitoringNamesWhatExists(t *testing.T) {
	descriptions := make(chan *prometheus.Desc, 200)
	m := newMetrics()
	m.addOverdue(func() bool { return false })
	m.registry.Describe(descriptions)
	close(descriptions)
	exists := map[string]bool{}
	for d := range descriptions {
		exists[regexp.MustCompile(`fqName: "(\w+)"`).FindStringSubmatch(d.String())[1]] = true
	}
	for _, file := range []string{"config/monitoring/rules.yaml", "config/monitoring/dashboard.json", "docs/issuer.md"} {
		b, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`\bkeywright_issuer_\w+`).FindAllString(string(b), -1)
		if len(names) == 0 {
			t.Errorf("%s names no metric", file)
		}
		for _, name := range names {
			if name = regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, ""); !exists[name] {
				t.Errorf("%s names %s, which is no metric", file, name)
			}
		}
	}
}
