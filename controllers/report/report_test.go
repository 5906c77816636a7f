package report

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// A shortened message is valid UTF-8, since the API server refuses a status with a partial character.
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
