package server_test

import (
	"crypto/fips140"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/login"
)

// The examples of the documentation are read as an issuer reads them, and its user can log in.
func TestDocumentedFilesAreValid(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "issuer.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	var whole map[string]any
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(b), -1) {
		switch text := block[1]; {
		case strings.Contains(text, "kind: "+config.Kind):
			seen[config.Kind]++
			if err := yaml.Unmarshal([]byte(text), &whole); err != nil {
				t.Fatal(err)
			}
			if _, err := config.Parse([]byte(text)); err != nil {
				t.Errorf("%s\n%v", text, err)
			}
		case strings.Contains(text, "kind: "+login.Kind):
			seen[login.Kind]++
			users, err := login.ParseUsers([]byte(text))
			if err != nil {
				t.Fatalf("%s\n%v", text, err)
			}
			if _, err := login.NewList(func() (*login.Users, bool) { return users, true }, login.NewHasher(1, 1<<30)).
				Authenticate(t.Context(), "alice", "wonderland"); err != nil {
				t.Errorf("alice: %v", err)
			}
		case strings.Contains(text, "kind: Role"): // issuer/login compares it with the sample
		default: // a part of the configuration, which replaces that of the first example
			seen["part"]++
			if fips140.Enforced() && strings.Contains(text, "encryption:") {
				continue // refused at the start, as TestEncryptionInFIPSMode asserts
			}
			var part map[string]any
			if err := yaml.Unmarshal([]byte(text), &part); err != nil {
				t.Fatalf("%s\n%v", text, err)
			}
			changed := maps.Clone(whole)
			maps.Copy(changed, part)
			joined, err := yaml.Marshal(changed)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := config.Parse(joined); err != nil {
				t.Errorf("%s\n%v", text, err)
			}
		}
	}
	if seen[config.Kind] != 1 || seen[login.Kind] != 1 || seen["part"] < 2 {
		t.Errorf("the examples are not found: %v", seen)
	}
}
