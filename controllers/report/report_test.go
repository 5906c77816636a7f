package report

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// A message that is cut stays text: the API server refuses a status with half a character in it.
func TestShorten(t *testing.T) {
	if got := Shorten("short", 5); got != "short" {
		t.Error(got)
	}
	for most := range 5 {
		if got := Shorten("aéé", most); !utf8.ValidString(got) || !strings.HasSuffix(got, "…") || len(got) > most+len("…") {
			t.Errorf("%d: %q", most, got)
		}
	}
}
