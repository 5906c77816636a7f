package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What cannot work is refused before anything is installed, in words that say where it is.
func TestWrongValuesAreRefused(t *testing.T) {
	for set, complaint := range map[string]string{
		"isuer.replicas=2":                                 "'isuer' not allowed",
		"issuer.replica=2":                                 "'replica' not allowed",
		"issuer.config.issuer=https://x":                   "'issuer' not allowed",
		"issuer.config.server.tls.certFile=/x":             "'tls' not allowed",
		"issuer.config.clients[0].id=x":                    "missing property 'grantTypes'",
		"issuer.config.token.lifetime=900":                 "/issuer/config/token/lifetime",
		"issuer.url=http://issuer.example.com":             "/issuer/url",
		"issuer.url=https://issuer.example.com/?a=b":       "/issuer/url",
		"issuer.replicas=-1":                               "/issuer/replicas",
		"issuer.tls.certManager.enabled=true":              "missing property 'name'",
		"issuer.image.digest=latest":                       "/issuer/image/digest",
		"issuer.users.secretName=":                         "/issuer/users/secretName",
		"issuer.service.externalTrafficPolicy=Local":       "/issuer/service/externalTrafficPolicy",
		"controller.podDisruptionBudget.maxUnavailable=ab": "/controller/podDisruptionBudget/maxUnavailable",
		"controller.extraArgs[0]=verbose":                  "/controller/extraArgs/0",
		"controller.nudgeAllPods=yes":                      "/controller/nudgeAllPods",
		"image.pullPolicy=Sometimes":                       "/image/pullPolicy",
		"image.tag=a b":                                    "/image/tag",
		"image.registry=https://registry.example.com":      "/image/registry",
		"signingKey.name=Main":                             "/signingKey/name",
		"signingKey.spec.algorithm=HS256":                  "/signingKey/spec/algorithm",
		"signingKey.spec.interval=1h":                      "'interval' not allowed",
		"monitoring.rules.labels.release=1":                "/monitoring/rules/labels/release",
		"issuer.tls.secretName=a,issuer.tls.certManager.enabled=true,issuer.tls.certManager.issuerRef.name=b": "/issuer/tls/certManager/enabled",
		"issuer.config.users.ldap.url=ldaps://x": "name the rules in issuer.networkPolicy.egress",
		"issuer.config.tokenExchange[0].name=x":  "name the rules in issuer.networkPolicy.egress",
	} {
		for _, version := range helms {
			if _, err := template(t, version, "--set", set); err == nil || !strings.Contains(err.Error(), complaint) {
				t.Errorf("%s with %s: want %q, got %v", version, set, complaint, err)
			}
		}
	}
}

// The next right value is let through, so that nothing above is refused for another reason.
func TestRightValuesAreTaken(t *testing.T) {
	for _, set := range []string{
		"issuer.replicas=0", "issuer.url=https://issuer.example.com:8443/path", "image.registry=registry.example.com:5000/team",
		"issuer.tls.certManager.enabled=true,issuer.tls.certManager.issuerRef.name=b", "signingKey.spec.algorithm=RS256",
		"issuer.service.type=LoadBalancer,issuer.service.externalTrafficPolicy=Local", "controller.extraArgs[0]=--verbose",
		"controller.podDisruptionBudget.maxUnavailable=50%", "issuer.config.token.lifetime=1m30s", "issuer.enabled=false",
		"issuer.config.tokenExchange[0].name=x,issuer.config.tokenExchange[0].keys.file=/x",
		"issuer.config.users.ldap.url=ldaps://x,issuer.networkPolicy.enabled=false",
	} {
		for _, version := range helms {
			if _, err := template(t, version, "--set", set); err != nil {
				t.Errorf("%s with %s: %v", version, set, err)
			}
		}
	}
}

func TestInjectionNeedsKubernetes136(t *testing.T) {
	for _, version := range helms {
		_, err := template(t, version, "--set", "injection.enabled=true", "--kube-version", "1.35.4")
		if err == nil || !strings.Contains(err.Error(), "which Kubernetes has since 1.36, and this is v1.35.4") {
			t.Errorf("%s: %v", version, err)
		}
	}
}

// README.md, which is made of values.yaml, says of each value what it does.
func TestEveryValueIsDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(chart, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "|-----|")
	rows := strings.Split(strings.TrimSpace(table), "\n")[1:]
	for _, row := range rows {
		cells := strings.Split(strings.Trim(row, "|"), " |")
		if strings.TrimSpace(cells[len(cells)-1]) == "" {
			t.Errorf("no comment: %s", row)
		}
	}
	if len(rows) < 60 {
		t.Errorf("only %d values", len(rows))
	}
}
