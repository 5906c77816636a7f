package chart

import (
	"path/filepath"
	"strings"
	"testing"
)

// previous is the chart of the last release, or, before there is one, as it was when it came into the repository.
func previous(t *testing.T) string {
	t.Helper()
	commit, err := run(t.Context(), "git", "-C", root, "describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD~1")
	if err != nil {
		all, err := run(t.Context(), "git", "-C", root, "log", "--diff-filter=A", "--format=%H", "--", "charts/keywright/Chart.yaml")
		if err != nil {
			t.Fatal(err)
		}
		commits := strings.Fields(all)
		commit = commits[len(commits)-1]
	}
	archive := filepath.Join(t.TempDir(), "chart.tar")
	commit = strings.TrimSpace(commit)
	if _, err := run(t.Context(), "git", "-C", root, "archive", "--output", archive, commit, "charts/keywright"); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), "tar", "-xf", archive, "-C", filepath.Dir(archive)); err != nil {
		t.Fatal(err)
	}
	t.Logf("the previous chart is that of %s", commit)
	return filepath.Join(filepath.Dir(archive), "charts", "keywright")
}
