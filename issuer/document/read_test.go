package document_test

import (
	"strings"
	"testing"

	"github.com/keywright/keywright/issuer/document"
)

// What stands in a document may be a secret, also one that YAML takes for an alias, an anchor, a tag or a key.
func TestNothingOfAValueIsQuoted(t *testing.T) {
	for _, text := range []string{
		"a: `canary`", "text: *canary", "text: &canary [*canary]", "text: !canary {}", "number: !canary x", "number: !!canary x",
		"number: !x%20into%20canary y", "number: canary", "number: 'canary into `bool'", "any: {? [canary] : x}", "\tcanary", "text: 'canary", "text: \"\\canary\"",
	} {
		var into struct {
			Text   string
			Number int
			Any    any
		}
		f, err := document.Read([]byte(text), "document", &into)
		if err == nil {
			err = f.Err()
		}
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	for text, says := range map[string]string{
		"number: x":       "line 1: cannot unmarshal !!str into int",
		"number: !tag x":  "line 1: cannot unmarshal into int",
		"number: *x":      "unknown anchor referenced",
		"number: [a":      "did not find expected ',' or ']'",
		"number: {a: 1}":  "line 1: cannot unmarshal !!map into int",
		"number: 1\nx: 2": "line 2: unknown field x",
	} {
		var into struct{ Number int }
		f, err := document.Read([]byte(text), "document", &into)
		if err == nil {
			err = f.Err()
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: want %q, got %v", text, says, err)
		}
	}
}
