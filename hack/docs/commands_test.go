package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/hack/docs/pages"
)

// runners are who runs a block, and which pages they take blocks from; nil is any page.
func runners() map[string][]string {
	return map[string][]string{
		"run: checkout": nil,
		"run: ci":       nil,
		"run: chart":    {"docs/helm.md", "docs/second-issuer.md"},
		"run: e2e":      {"docs/getting-started.md"},
	}
}

// Every block of commands says who runs it, and whoever it names knows the page.
func TestCommandsAreRunOrSayWhyNot(t *testing.T) {
	commands := 0
	for _, page := range read(t) {
		for _, b := range page.Blocks {
			if !slices.Contains([]string{"sh", "bash", "shell"}, b.Language) {
				continue
			}
			commands++
			if reason, ok := strings.CutPrefix(b.Mark, "not run: "); ok && reason != "" {
				continue
			}
			takes, known := runners()[b.Mark]
			if !known {
				t.Errorf("%s:%d: nobody runs these commands, and %q does not say why:\n%s", page.Path, b.Line, b.Mark, b.Text)
			} else if takes != nil && !slices.Contains(takes, page.Path) {
				t.Errorf("%s:%d: %q does not take commands from this page", page.Path, b.Line, b.Mark)
			}
		}
	}
	if commands < 20 {
		t.Errorf("only %d blocks of commands were found", commands)
	}
}

// What needs nothing but the checkout is run here.
func TestCheckoutCommands(t *testing.T) {
	bin, err := filepath.Abs(filepath.Join(root, "bin"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, page := range read(t) {
		for _, b := range page.Blocks {
			if b.Mark != "run: checkout" {
				continue
			}
			ran++
			cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", b.Text)
			cmd.Dir, cmd.Env = root, append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s:%d: %v\n%s\n%s", page.Path, b.Line, err, b.Text, out)
			}
		}
	}
	if ran == 0 {
		t.Error("no page has commands for the checkout")
	}
}

// What CI is said to run is there, line by line.
func TestCIRunsWhatPagesSay(t *testing.T) {
	ci := file(t, ".ci/run") + file(t, "Makefile")
	for _, page := range read(t) {
		for _, b := range page.Blocks {
			if b.Mark != "run: ci" {
				continue
			}
			for line := range strings.Lines(b.Text) {
				command := strings.TrimSpace(line)
				if !hasCommand(ci, command) {
					t.Errorf("%s:%d: CI does not run %q", page.Path, b.Line, command)
				}
			}
		}
	}
}

// hasCommand looks for a command that ends where it does in the page.
func hasCommand(text, command string) bool {
	for _, spelt := range []string{command, strings.Replace(command, "make ", "$(MAKE) ", 1)} {
		if regexp.MustCompile(`(^|[\s"])` + regexp.QuoteMeta(spelt) + `(\s*\n|\s*$)`).MatchString(text) {
			return true
		}
	}
	return false
}

// A target of make that a page names is in the Makefile.
func TestTargetsExist(t *testing.T) {
	defined := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-zA-Z0-9/_.-]+):`).FindAllStringSubmatch(file(t, "Makefile")+file(t, "hack/chart/helm.mk"), -1) {
		defined[m[1]] = true
	}
	named := 0
	for _, page := range read(t) {
		for _, text := range written(page) {
			text = regexp.MustCompile(`\$\([^)]*\)`).ReplaceAllString(text, "")
			for _, m := range regexp.MustCompile(`(?m)^\s*make((?: [^\s;&|]+)+)`).FindAllStringSubmatch(text, -1) {
				for target := range strings.FieldsSeq(m[1]) {
					if strings.Contains(target, "=") {
						continue
					}
					named++
					if !defined[target] {
						t.Errorf("%s: `make %s`: there is no such target", page.Path, target)
					}
				}
			}
		}
	}
	if named < 20 {
		t.Errorf("only %d targets were found", named)
	}
}

// written is all that a page shows as code.
func written(page pages.Page) []string {
	all := slices.Clone(page.Spans)
	for _, b := range page.Blocks {
		all = append(all, b.Text)
	}
	return all
}
