package e2e

import (
	"regexp"
	"strings"
	"testing"
)

// notes are the commands that the chart tells a user to type: to begin with, and to remove it all.
func notes(t *testing.T, s *shell) (begin []string, remove string) {
	t.Helper()
	text := s.run(t, "helm get notes keywright -n keywright-system")
	first, last, found := strings.Cut(text, "`helm uninstall` does not remove")
	if !found {
		t.Fatalf("the notes do not say how to remove it all:\n%s", text)
	}
	begin = commands(first)
	removal := commands(last)
	if len(begin) != 3 || len(removal) != 1 {
		t.Fatalf("the notes have %d and %d blocks of commands:\n%s", len(begin), len(removal), text)
	}
	return begin, removal[0]
}

// commands finds the paragraphs that begin with a command.
func commands(text string) (blocks []string) {
	begins := regexp.MustCompile(`^(read|printf|kubectl|helm) `)
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		lines := strings.Split(strings.TrimSpace(paragraph), "\n")
		for len(lines) > 0 && !begins.MatchString(lines[0]) {
			lines = lines[1:]
		}
		if len(lines) > 0 {
			blocks = append(blocks, strings.Join(lines, "\n"))
		}
	}
	return blocks
}
