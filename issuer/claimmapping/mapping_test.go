package claimmapping_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/issuer/claimmapping"
)

func TestExpressions(t *testing.T) {
	claims := map[string]any{
		"sub": "system:serviceaccount:shop:cart", "groups": []any{"a", "b"}, "n": json.Number("3"), "f": json.Number("1.5"),
		"large": json.Number("9007199254740993"), "unsigned": json.Number("18446744073709551615"), "huge": json.Number("123456789012345678901234567890"),
		"kubernetes.io": map[string]any{"namespace": "shop"},
	}
	for text, want := range map[string]any{
		`claims.sub`: "system:serviceaccount:shop:cart", `claims["kubernetes.io"].namespace`: "shop", `claims.groups`: []any{"a", "b"},
		`claims.groups.filter(g, g != "a")`: []any{"b"}, `claims.n`: json.Number("3"), `claims.f`: 1.5, `claims.large`: json.Number("9007199254740993"), `claims.unsigned`: json.Number("18446744073709551615"),
		`string(claims.large)`: "9007199254740993", `claims.large == 9007199254740992`: false, `claims.large == 9007199254740993`: true,
		`claims.n > 2.5`: true, `claims.n + 1`: json.Number("4"), `"u:" + string(claims.n)`: "u:3", `claims.huge`: nil, `has(claims.huge)`: true,
		`1.0 / 0.0`: nil, `{1: 2}`: nil, `timestamp("2026-01-31T00:00:00Z")`: "2026-01-31T00:00:00Z", `claims.sub.startsWith("system:")`: true, `"x:" + claims.sub.split`: nil,
		`{"a": claims.n}`: map[string]any{"a": json.Number("3")}, `claims.?email`: nil, `claims.?sub.orValue("x")`: "system:serviceaccount:shop:cart", `null`: nil,
	} {
		e, err := claimmapping.Compile(text, "")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := e.Evaluate(claims)
		if diff := cmp.Diff(want, got); diff != "" || (err != nil && want != nil) {
			t.Errorf("%s: %v %s", text, err, diff)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	for _, c := range [][2]string{{"claims.", ""}, {"clams.sub", ""}, {"1", "bool"}, {`"x"`, "bool"}, {"true", "string"}, {"", "string"}} {
		if _, err := claimmapping.Compile(c[0], c[1]); err == nil {
			t.Errorf("compiled %q as %q", c[0], c[1])
		}
	}
	e, err := claimmapping.Compile("claims.email", "string")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Evaluate(map[string]any{"canary": "x"}); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("a claim that is missing: %v", err)
	}
	endless, err := claimmapping.Compile("claims.l.all(a, claims.l.all(b, claims.l.all(c, a + b + c >= 0.0)))", "bool")
	if err != nil {
		t.Fatal(err)
	}
	list := make([]any, 1000)
	for i := range list {
		list[i] = 1.0
	}
	if _, err := endless.Evaluate(map[string]any{"l": list}); err == nil {
		t.Error("an expression that takes for ever")
	}
}
