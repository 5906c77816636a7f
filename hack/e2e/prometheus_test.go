package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const prometheusConfig = `
global: {scrape_interval: 1s}
rule_files: [rules.yaml]
scrape_configs:
- job_name: keywright
  http_sd_configs: [{url: %s, refresh_interval: 2s}]
`

// startPrometheus scrapes Keywright from now on, by a Prometheus of the host, which reaches the pods of a node of ours.
func (s *story) startPrometheus(t *testing.T) {
	if !s.node.ours() {
		t.Log("left out: the pods of somebody else's cluster cannot be reached from here")
		return
	}
	directory := t.TempDir()
	pods := httptest.NewServer(&discovery{shell: s.shell, monitor: monitor(t)})
	t.Cleanup(pods.Close)
	check(t, os.WriteFile(filepath.Join(directory, "prometheus.yml"), fmt.Appendf(nil, prometheusConfig, pods.URL), 0o600))
	check(t, os.WriteFile(filepath.Join(directory, "rules.yaml"), alerts(t), 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	log, err := os.Create(filepath.Join(directory, "log"))
	check(t, err)
	s.prometheus = freeAddress(t)
	cmd := exec.CommandContext(ctx, "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address="+s.prometheus)
	cmd.Dir, cmd.Stdout, cmd.Stderr = directory, log, log
	check(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		_ = log.Close()
	})
	s.until(t, "Prometheus scrapes six pods, and nothing else", func() bool {
		return len(s.query(t, `up{job="keywright"} == 1`)) == 6 && len(s.query(t, `up{job="keywright"}`)) == 6
	})
}

// alerts are the rules of the PrometheusRule, as Prometheus itself reads them.
func alerts(t *testing.T) []byte {
	t.Helper()
	var rule struct{ Spec json.RawMessage }
	monitoring(t, "rules.yaml", &rule)
	spec, err := yaml.JSONToYAML(rule.Spec)
	check(t, err)
	return spec
}

// monitoring reads a file of config/monitoring.
func monitoring(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "config", "monitoring", name))
	check(t, err)
	check(t, yaml.Unmarshal(b, into))
}

// freeAddress is one of this host that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// query asks Prometheus.
func (s *story) query(t *testing.T, expression string) []json.RawMessage {
	t.Helper()
	response, err := http.Get("http://" + s.prometheus + "/api/v1/query?query=" + url.QueryEscape(expression))
	if err != nil {
		return nil
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusServiceUnavailable {
		return nil // it is still reading its files
	}
	var answer struct {
		Error string
		Data  struct{ Result []json.RawMessage }
	}
	check(t, json.NewDecoder(response.Body).Decode(&answer))
	if answer.Error != "" {
		t.Fatalf("%s: %s", expression, answer.Error)
	}
	return answer.Data.Result
}

// watched asks all that the dashboard asks, after everything else has happened. The step that trusts other issuers asks for TrustedIssuers.
func (s *story) watched(t *testing.T) {
	if !s.node.ours() {
		return
	}
	if asked := s.panels(t, func(expression string) bool { return !strings.Contains(expression, ofTrustedIssuers) }); asked < 10 {
		t.Errorf("the dashboard asks only %d things", asked)
	}
	for _, alert := range s.query(t, `ALERTS{alertstate="firing"}`) {
		t.Errorf("an alert fires: %s", alert)
	}
}

const ofTrustedIssuers = "keywright_trustedissuer_"

// panels waits until each chosen expression of the dashboard has a result, and returns how many it has asked.
func (s *story) panels(t *testing.T, chosen func(expression string) bool) int {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	monitoring(t, "dashboard.json", &dashboard)
	asked := 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			if !chosen(target.Expr) {
				continue
			}
			asked++
			expression := strings.ReplaceAll(target.Expr, "$signingkey", ".*")
			s.until(t, panel.Title+" shows something: "+expression, func() bool { return len(s.query(t, expression)) > 0 })
		}
	}
	return asked
}
