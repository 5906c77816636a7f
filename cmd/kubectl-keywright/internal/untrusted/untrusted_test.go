package untrusted

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	for want, value := range map[string]any{
		`"a\x1b[2J\"\u202e"`: "a\x1b[2J\"\u202e", `["a","b\\u001b"]`: []any{"a", "b\x1b"}, `null`: nil, `7`: json.Number("7"),
		`"` + strings.Repeat("x", maxQuoted) + `"…`: strings.Repeat("x", maxQuoted+1),
	} {
		if got := Quote(value); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}
