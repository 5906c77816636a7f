package verifier

import (
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4/json"
	"github.com/google/go-cmp/cmp"
)

func TestDecodeObject(t *testing.T) {
	got, err := decodeObject([]byte(" {\"a\":{\"n\":18446744073709551616,\"s\":\"\\\\ud800 \\ud83d\\ude00 \\\" { [ \"}} \n"))
	want := map[string]any{"a": map[string]any{"n": json.Number("18446744073709551616"), "s": "\\ud800 \U0001F600 \" { [ "}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, difference (-want +got):\n%s", err, diff)
	}
	deepest := `{"a":` + strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1) + "}"
	if _, err := decodeObject([]byte(deepest)); err != nil {
		t.Errorf("%d levels: %v", maxDepth, err)
	}
	siblings := `{"a":[` + strings.Repeat("[],", 2*maxDepth) + "[]]}"
	if _, err := decodeObject([]byte(siblings)); err != nil {
		t.Errorf("many lists side by side: %v", err)
	}
}

func TestDecodeObjectRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                     "",
		"null":                        "null",
		"a list":                      "[]",
		"a string":                    `"a"`,
		"a byte order mark":           "\ufeff{}",
		"UTF-16":                      "{\x00}\x00",
		"half an object":              `{"a":1`,
		"two objects":                 "{}{}",
		"text behind":                 "{}x",
		"a duplicate member":          `{"a":1,"a":2}`,
		"a duplicate below":           `{"a":[{"b":{"c":1,"c":1}}]}`,
		"a duplicate by escape":       `{"a":1,"\u0061":2}`,
		"invalid UTF-8":               "{\"a\":\"\xff\"}",
		"an overlong encoding":        "{\"a\":\"\xc0\x80\"}",
		"half a pair":                 `{"a":"\ud800"}`,
		"half a pair at the end":      `{"a":"x\uDBFF`,
		"the second half":             `{"a":"\udc00"}`,
		"halves in the wrong order":   `{"a":"\udc00\ud800"}`,
		"half a pair and a letter":    `{"a":"\ud800\u0041"}`,
		"half a pair in a name":       `{"\ud800":1}`,
		"half a pair after backslash": `{"a":"\\\ud800"}`,
		"too deep":                    `{"a":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + "}",
		"too deep, never closed":      strings.Repeat(`{"a":`, 5000),
	} {
		if got, err := decodeObject([]byte(text)); err == nil {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
