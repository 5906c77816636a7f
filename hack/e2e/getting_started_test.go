package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A reader types what docs/getting-started.md says, into one bash, and gets what it promises.
func TestGettingStarted(t *testing.T) {
	n := haveNode(t, haveImages(t, issuer))
	s := newShell(t, n.kubeconfig)
	root, err := filepath.Abs(filepath.Join("..", ".."))
	check(t, err)
	page, err := os.ReadFile(filepath.Join(root, "docs", "getting-started.md"))
	check(t, err)
	lines := []string{"trap 'kill $(jobs -p)' EXIT"}
	for _, block := range regexp.MustCompile("(?s)<!-- run: e2e -->\n```sh\n(.*?)```").FindAllSubmatch(page, -1) {
		lines = append(lines, string(block[1]))
	}
	if len(lines) < 8 {
		t.Fatalf("the page has only %d blocks to run", len(lines)-1)
	}
	s.directory, s.environment = root, append(s.environment, "TAG="+tag, "REGISTRY="+strings.TrimSuffix(registry(), "/"))
	out := s.feed(t, strings.Join(lines, "\n"), "correct horse battery staple\n")
	t.Logf("%s", out)
	if verified := strings.Count(out, "valid: signed by key "); verified != 4 {
		t.Errorf("%d tokens were verified, want 4: before and after the rotation, beside one that ended, and after the revocation", verified)
	}
	if !strings.Contains(out, "refused, by its jti") || !strings.Contains(out, "refused: log in again") {
		t.Error("the token that ended, or that of a revoked key, was not refused")
	}
}
