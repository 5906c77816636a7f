package controllers

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/cmd/fetcher/handover"
	"github.com/keywright/keywright/controllers/distribution"
	"github.com/keywright/keywright/controllers/podrefresh"
	"github.com/keywright/keywright/controllers/signingkey"
	"github.com/keywright/keywright/controllers/trustedissuer"
)

const monitoring = "../config/monitoring"

// alerts are the rules, as Prometheus parses them.
func alerts(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(monitoring, "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var rule struct{ Spec json.RawMessage }
	if err := yaml.UnmarshalStrict(b, &rule); err != nil && !strings.Contains(err.Error(), "unknown field") {
		t.Fatal(err)
	}
	spec, err := yaml.JSONToYAML(rule.Spec)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// Each alert fires when it should, and not before.
func TestAlerts(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("REQUIRE_PROMTOOL") != "" {
			t.Fatal(err)
		}
		t.Skip("promtool is not installed: it comes with Debian's package prometheus")
	}
	directory := t.TempDir()
	tests, err := os.ReadFile(filepath.Join(monitoring, "rules_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"rules.yml": alerts(t), "rules_test.yml": tests} {
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"check", "rules", "rules.yml"}, {"test", "rules", "rules_test.yml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = directory
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllSubmatch(alerts(t), -1) {
		if n := strings.Count(string(tests), "alertname: "+string(m[1])); n < 2 {
			t.Errorf("%s is tried %d times only", m[1], n)
		}
	}
}

// Alerts, dashboard and documents use only metrics and labels that exist.
func TestMonitoringNamesWhatExists(t *testing.T) {
	registry := prometheus.NewRegistry()
	descriptions := make(chan *prometheus.Desc, 100)
	signingkey.NewMetrics(registry, time.Now)
	distribution.NewMetrics(registry)
	podrefresh.NewMetrics(registry)
	trustedissuer.NewMetrics(registry)
	handover.NewMetrics(registry)
	registry.Describe(descriptions)
	close(descriptions)
	exists := map[string]bool{}
	for d := range descriptions {
		exists[regexp.MustCompile(`fqName: "(\w+)"`).FindStringSubmatch(d.String())[1]] = true
	}
	inServices, err := os.ReadFile(filepath.Join("..", "docs", "verifying", "go.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, file := range []string{"config/monitoring/rules.yaml", "config/monitoring/dashboard.json", "docs/operations.md"} {
		b, err := os.ReadFile(filepath.Join("..", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\bkeywright_\w+`).FindAllString(string(b), -1) {
			if strings.HasPrefix(name, "keywright_issuer_") {
				continue // the issuer's own test checks these
			}
			if strings.HasPrefix(name, "keywright_verifier_") {
				if !strings.Contains(string(inServices), `"`+name+`"`) {
					t.Errorf("%s names %s, which docs/verifying/go.md does not", file, name)
				}
				continue // hack/interop runs that page
			}
			name = regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
			named[name] = true
			if !exists[name] {
				t.Errorf("%s names %s, which is no metric", file, name)
			}
		}
	}
	for name := range exists {
		if !named[name] {
			t.Errorf("nobody is told of the metric %s", name)
		}
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	b, err := os.ReadFile(filepath.Join(monitoring, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &dashboard); err != nil {
		t.Fatal(err)
	}
	var titles []string
	for _, p := range dashboard.Panels {
		if slices.Contains(titles, p.Title) {
			t.Errorf("two panels are called %s", p.Title)
		}
		titles = append(titles, p.Title)
	}
}
