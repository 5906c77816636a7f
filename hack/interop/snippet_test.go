package interop

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/keywright/keywright/hack/interop/rotated"
)

// pages is where the examples stand.
var pages = filepath.Join("..", "..", "docs", "verifying")

// marked finds the examples that are run: a comment with a name, and the code block below it.
var marked = regexp.MustCompile("(?s)<!-- run: ([a-z0-9-]+) -->\n```[a-z]+\n(.*?)```")

// examples returns every example that its page says is run, by name.
func examples(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	files, err := filepath.Glob(filepath.Join(pages, "*.md"))
	check(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(t, err)
		blocks := marked.FindAllStringSubmatch(string(text), -1)
		if len(blocks) != strings.Count(string(text), "<!-- run:") {
			t.Errorf("%s: a comment `run` without a code block below it", file)
		}
		for _, block := range blocks {
			if found[block[1]] != "" {
				t.Errorf("two examples are called %s", block[1])
			}
			found[block[1]] = block[2]
		}
	}
	return found
}

// example returns one example as it stands in its page, but for the names of files, which lie elsewhere in a test.
func example(t *testing.T, name string, files ...string) string {
	t.Helper()
	text := examples(t)[name]
	if text == "" {
		t.Fatalf("no example is called %s", name)
	}
	for i := 0; i < len(files); i += 2 {
		if !strings.Contains(text, files[i]) {
			t.Fatalf("example %s does not name %s", name, files[i])
		}
		text = strings.ReplaceAll(text, files[i], files[i+1])
	}
	return text
}

// mounted is the file that the examples name.
const mounted = "/var/run/keywright/jwks/main.json"

// ended is the example that refuses what the revocation list of a world names.
func ended(t *testing.T, w *rotated.World, name string) string {
	t.Helper()
	return example(t, name, "/var/run/keywright/jwks/main.revoked", w.Volume.Revoked())
}

// Every example that a page marks as run has a test: each is named in a call of example or of a helper.
func TestEveryMarkedExampleIsRun(t *testing.T) {
	tests := sourceOf(t, "*_test.go")
	all := examples(t)
	for name := range all {
		if !strings.Contains(tests, `"`+name+`"`) {
			t.Errorf("the example %s is marked as run, and no test runs it", name)
		}
	}
	if len(all) < 10 {
		t.Errorf("only %d examples were found", len(all))
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
