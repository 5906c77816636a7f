package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// The API server accepts the examples of the page.
func TestManifestsOfThePage(t *testing.T) {
	c := admin(t)
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "trustedissuer.md"))
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1) {
		for text := range strings.SplitSeq(string(block[1]), "---\n") {
			if !strings.Contains(text, "kind: TrustedIssuer") {
				continue
			}
			var ti keywrightv1alpha1.TrustedIssuer
			if err := yaml.UnmarshalStrict([]byte(text), &ti); err != nil {
				t.Errorf("%v\n%s", err, text)
			} else if err := c.Create(t.Context(), &ti, client.DryRunAll); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
			tried++
		}
	}
	if tried < 3 {
		t.Errorf("found %d TrustedIssuers", tried)
	}
}

// Invalid specs are refused when they are applied, with a message that says what is right.
func TestRefusedSpecs(t *testing.T) {
	c := admin(t)
	for name, tc := range map[string]struct{ spec, want string }{
		"no source":          {"issuer: https://a.example\nkeys: {}", "exactly one of"},
		"two sources":        {"issuer: https://a.example\nkeys: {discovery: {}, kubernetes: {}}", "exactly one of"},
		"discovery of a URN": {"issuer: urn:a\nkeys: {discovery: {}}", "keys.url"},
		"http":               {"issuer: https://a.example\nkeys: {url: http://a.example/jwks}", "https URL"},
		"a password":         {"issuer: https://a.example\nkeys: {url: 'https://a:b@a.example/jwks'}", "without a user"},
		"a tenant":           {"issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0'\nkeys: {discovery: {}}", "ID of the tenant"},
		"too often":          {"issuer: https://a.example\nkeys: {discovery: {}}\nrefreshInterval: 1s", "30s"},
		"stale at once":      {"issuer: https://a.example\nkeys: {discovery: {}}\nrefreshInterval: 1h\nmaxStaleness: 119m", "for example 1h0m0s1h0m0s"},
		"symmetric":          {"issuer: https://a.example\nkeys: {discovery: {}}\nalgorithms: [HS256]", "Unsupported value"},
		"two CAs":            {"issuer: https://a.example\nkeys: {discovery: {}, caBundle: a, caConfigMap: {name: a}}", "at most one"},
		"a CA for nothing":   {"issuer: https://a.example\nkeys: {kubernetes: {}, caBundle: a}", "omit them"},
	} {
		var ti keywrightv1alpha1.TrustedIssuer
		text := "metadata: {name: refused}\nspec:\n  distribution: {namespaceSelector: {matchLabels: {a: b}}}\n  " + strings.ReplaceAll(tc.spec, "\n", "\n  ")
		if err := yaml.UnmarshalStrict([]byte(text), &ti); err != nil {
			t.Fatal(name, err)
		}
		if err := c.Create(t.Context(), &ti, client.DryRunAll); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}
