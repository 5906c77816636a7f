package server_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/login"
)

// The examples of the documentation are read as an issuer reads them, and its user can log in.
func TestDocumentedFilesAreRight(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "issuer.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(b), -1) {
		switch text := block[1]; {
		case strings.Contains(text, "kind: "+config.Kind):
			seen[config.Kind]++
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
		}
	}
	if seen[config.Kind] != 1 || seen[login.Kind] != 1 {
		t.Errorf("the examples are not found: %v", seen)
	}
}
