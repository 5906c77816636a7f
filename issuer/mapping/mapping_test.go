package mapping_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/issuer/mapping"
)

func TestExpressions(t *testing.T) {
	claims := map[string]any{
		"sub": "system:serviceaccount:shop:cart", "groups": []any{"a", "b"}, "n": 3.0,
		"kubernetes.io": map[string]any{"namespace": "shop"},
	}
	for text, want := range map[string]any{
		`claims.sub`: "system:serviceaccount:shop:cart", `claims["kubernetes.io"].namespace`: "shop", `claims.groups`: []any{"a", "b"},
		`claims.groups.filter(g, g != "a")`: []any{"b"}, `claims.n`: 3.0, `claims.sub.startsWith("system:")`: true, `"x:" + claims.sub.split`: nil,
		`{"a": claims.n}`: map[string]any{"a": 3.0}, `claims.?email`: nil, `claims.?sub.orValue("x")`: "system:serviceaccount:shop:cart", `null`: nil,
	} {
		e, err := mapping.Compile(text, "")
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
		if _, err := mapping.Compile(c[0], c[1]); err == nil {
			t.Errorf("compiled %q as %q", c[0], c[1])
		}
	}
	e, err := mapping.Compile("claims.email", "string")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Evaluate(map[string]any{"canary": "x"}); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("a claim that is missing: %v", err)
	}
	endless, err := mapping.Compile("claims.l.all(a, claims.l.all(b, claims.l.all(c, a + b + c >= 0.0)))", "bool")
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
