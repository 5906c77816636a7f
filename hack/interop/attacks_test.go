package interop

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each row of docs/attacks.md names tests that exist, and each class of the corpus has a row.
func TestAttacksNameTheirTests(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "attacks.md"))
	check(t, err)
	var tests string
	for _, tested := range []string{"verifier", "verifier/dpop", "verifier/internal/*", "api/issuerfiles", "issuer/*"} {
		tests += sourceOf(t, filepath.Join("..", "..", filepath.FromSlash(tested), "*_test.go"))
	}
	name := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`")
	rows := 0
	for _, line := range strings.Split(string(page), "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| attack |") {
			continue
		}
		rows++
		found := name.FindAllStringSubmatch(line, -1)
		if len(found) == 0 {
			t.Errorf("no test is named: %s", line)
		}
		for _, one := range found {
			if !strings.Contains(tests, "\nfunc "+one[1]+"(") {
				t.Errorf("there is no test %s", one[1])
			}
		}
	}
	if rows < 25 {
		t.Errorf("only %d rows were found", rows)
	}
	var corpus struct {
		Tokens, KeySets, Ended, RevocationLists, Requests []struct{ Class string }
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "verifier", "testdata", "attacks.json"))
	check(t, err)
	check(t, json.Unmarshal(text, &corpus))
	for _, attack := range slices.Concat(corpus.Tokens, corpus.KeySets, corpus.Ended, corpus.RevocationLists, corpus.Requests) {
		if !strings.Contains(string(page), "| "+attack.Class+" |") && attack.Class != "valid" {
			t.Fatalf("the class %q has no row", attack.Class)
		}
	}
}

// sourceOf returns the text of all files that match.
func sourceOf(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	check(t, err)
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(t, err)
		all.Write(text)
	}
	return all.String()
}
