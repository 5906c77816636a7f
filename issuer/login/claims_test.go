package login

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/keywright/keywright/issuer/token"
)

// Claims are in the token as they are written in the list, or they are refused.
func TestClaimsAreKeptAsWritten(t *testing.T) {
	hash := HashPassword("x")
	read := func(claims string) (string, error) {
		u, err := ParseUsers(listOf("- {name: a, subject: a, passwordHash: '" + hash + "', claims: " + claims + "}\n"))
		if err != nil {
			return "", err
		}
		b, err := json.Marshal(u.byName["a"].Claims)
		return string(b), err
	}
	for yaml, want := range map[string]string{
		"{a: 9007199254740993}":          `{"a":9007199254740993}`,
		"{a: 1234567890123456789012345}": `{"a":1234567890123456789012345}`,
		"{a: 1.10, b: -0, c: 1e3}":       `{"a":1.10,"b":-0,"c":1e3}`,
		"{a: [no, on, yes, y], b: true}": `{"a":["no","on","yes","y"],"b":true}`,
		"{a: 2026-01-31}":                `{"a":"2026-01-31"}`,
		"{a: null, b: ~, c: {}, d: []}":  `{"a":null,"b":null,"c":{},"d":[]}`,
		`{a: "0123", b: '1_000'}`:        `{"a":"0123","b":"1_000"}`,
		"{a: &x [1], b: *x}":             `{"a":[1],"b":[1]}`,
	} {
		if got, err := read(yaml); err != nil || got != want {
			t.Errorf("%s: %s %v", yaml, got, err)
		}
	}
	for _, yaml := range []string{"{a: 0123}", "{a: 0x7f}", "{a: 0o17}", "{a: 1_000}", "{a: +1}", "{a: .5}", "{a: 1.}", "{a: .inf}", "{a: !!binary AAAA}", "{a: {1: 2}}", "{a: {null: 2}}"} {
		if got, err := read(yaml); err == nil || !strings.Contains(err.Error(), "line 4: users[0].claims: must be a value that JSON can represent") {
			t.Errorf("%s: %s %v", yaml, got, err)
		}
	}
	nested := func(levels int) string {
		return strings.Repeat("{a: ", levels) + "1" + strings.Repeat("}", levels)
	}
	if _, err := read(nested(token.MaxDepth)); err != nil {
		t.Error(err)
	}
	if _, err := read(nested(token.MaxDepth + 1)); err == nil || !strings.Contains(err.Error(), "nested deeper") {
		t.Errorf("too deep: %v", err)
	}
	bomb := "{a: &a [" + strings.Repeat("1,", 100) + "], b: &b [" + strings.Repeat("*a,", 100) + "], c: [" + strings.Repeat("*b,", 100) + "]}"
	if _, err := read(bomb); err == nil {
		t.Error("a million values of a few lines")
	}
}
