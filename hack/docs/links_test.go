package docs

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/keywright/keywright/hack/docs/pages"
)

// Links within the repository lead to files that are there, and to headings that are there.
func TestLinks(t *testing.T) {
	all := read(t)
	checked := 0
	for _, page := range all {
		for _, link := range page.Links {
			if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
				continue
			}
			checked++
			target, anchor, _ := strings.Cut(link, "#")
			where := page.Path
			if target != "" {
				where = path.Join(path.Dir(page.Path), target)
			}
			if problem := follow(all, where, anchor); problem != "" {
				t.Errorf("%s: (%s): %s", page.Path, link, problem)
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d links were found", checked)
	}
}

// What is packed or shown elsewhere links to the repository's main branch: manifests, messages, the chart.
func TestLinksToTheMainBranch(t *testing.T) {
	all := read(t)
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "grep", "-hoIE", `https://github\.com/keywright/keywright/(blob|tree)/main/[A-Za-z0-9_./#-]*[A-Za-z0-9_/#-]`).Output()
	if err != nil {
		t.Fatal(err)
	}
	for url := range strings.FieldsSeq(string(out)) {
		target, anchor, _ := strings.Cut(regexp.MustCompile(`^.*/(blob|tree)/main/`).ReplaceAllString(url, ""), "#")
		if problem := follow(all, strings.TrimSuffix(target, "/"), anchor); problem != "" {
			t.Errorf("%s: %s", url, problem)
		}
	}
}

// Whoever begins at the README finds every page of docs/.
func TestEveryPageIsLinked(t *testing.T) {
	all := read(t)
	byPath := map[string]pages.Page{}
	for _, page := range all {
		byPath[page.Path] = page
	}
	seen, next := map[string]bool{}, []string{"README.md"}
	for len(next) > 0 {
		page := byPath[next[0]]
		next = next[1:]
		for _, link := range page.Links {
			target, _, _ := strings.Cut(link, "#")
			where := path.Join(path.Dir(page.Path), target)
			if _, known := byPath[where]; known && !seen[where] {
				seen[where] = true
				next = append(next, where)
			}
		}
	}
	for _, page := range all {
		if strings.HasPrefix(page.Path, "docs/") && !seen[page.Path] {
			t.Errorf("no link leads from the README to %s", page.Path)
		}
	}
}

// follow says what is wrong with a link, nothing if it leads somewhere.
func follow(all []pages.Page, where, anchor string) string {
	if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(where))); err != nil {
		return "there is no such file"
	}
	if anchor == "" {
		return ""
	}
	for _, page := range all {
		if page.Path == where && page.Anchors[anchor] {
			return ""
		}
	}
	return "there is no such heading"
}
