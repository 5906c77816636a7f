package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// blocks are the code blocks of docs/helm.md in a language, in their order.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	return pageBlocks(t, "helm.md", language)
}

// pageBlocks are the code blocks of a page in a language, in their order.
func pageBlocks(t *testing.T, page, language string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		all = append(all, match[1])
	}
	return all
}

// The commands of docs/helm.md work, one after the other: install, label, name a CA, upgrade, uninstall, and, installed again, remove, with
// three SigningKeys.
func TestDocumentedCommands(t *testing.T) {
	commands := blocks(t, "sh")
	if len(commands) != 6 || !strings.Contains(commands[5], "deletionPolicy") {
		t.Fatalf("docs/helm.md has other commands than this test knows: %q", commands)
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(blocks(t, "yaml")[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, block := range commands {
		commands[i] = strings.ReplaceAll(block, "values.yaml", file)
	}
	controller := filepath.Join(t.TempDir(), "controller")
	if _, err := run(t.Context(), "go", "build", "-C", root, "-o", controller, "./cmd/controller"); err != nil {
		t.Fatal(err)
	}
	c := start(t)
	c.kubernetes(t, controller, keyNamespace)
	for _, block := range append(commands[:5:5], commands[0]) {
		c.shell(t, "helm4", block)
	}
	c.hurry(t)
	c.moreSigningKeys(t)
	c.runController(t, controller, keyNamespace)
	c.label(t, "default", "keywright.dev/verify", "true")
	c.wantTrust(t)
	c.kubectl(t, "patch", "signingkey", "main", "--type=merge", "-p", `{"spec":{"distribution":{"caConfigMap":{"name":"clients-trust"}}}}`)
	c.wantCA(t, keyNamespace, "default", "main", "clients-trust")
	c.shell(t, "helm4", commands[5])
	if c.get(t, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "signingkeys.keywright.dev") != nil ||
		c.get(t, "v1", "ConfigMap", "default", "keywright-jwks") != nil {
		t.Error("the commands that remove all leave something")
	}
}

// hurry has the SigningKey of the chart wait seconds where it would wait minutes: a deletion lasts a propagationDelay.
func (c *cluster) hurry(t *testing.T) {
	t.Helper()
	c.kubectl(t, "patch", "signingkey", "main", "--type=merge", "-p", `{"spec":{"token":{"clockSkew":"1s"},"distribution":{"propagationDelay":"2s"}}}`)
}

// moreSigningKeys makes two more, of which one asks to drain.
func (c *cluster) moreSigningKeys(t *testing.T) {
	t.Helper()
	for name, policy := range map[string]string{"partners": "Drain", "batch": "Retain"} {
		file := filepath.Join(t.TempDir(), name+".yaml")
		text := fmt.Sprintf(`apiVersion: keywright.dev/v1alpha1
kind: SigningKey
metadata: {name: %s}
spec:
  deletionPolicy: %s
  token: {maxLifetime: 1m, clockSkew: 1s}
  distribution: {propagationDelay: 2s, namespaceSelector: {matchLabels: {keywright.dev/verify: "true"}}}
`, name, policy)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c.kubectl(t, "apply", "-f", file)
	}
}

// The examples of values are values that the chart takes.
func TestDocumentedValues(t *testing.T) {
	examples := blocks(t, "yaml")
	if len(examples) < 2 {
		t.Fatalf("%q", examples)
	}
	for _, example := range examples {
		file := filepath.Join(t.TempDir(), "values.yaml")
		if err := os.WriteFile(file, []byte(example), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, version := range helms {
			if _, err := template(t, version, "--values", file); err != nil {
				t.Errorf("%v\n%s", err, example)
			}
		}
	}
}
