package strictyaml_test

import (
	"strings"
	"testing"

	"github.com/keywright/keywright/issuer/strictyaml"
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
		f, err := strictyaml.Parse([]byte(text), "document", &into)
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
		"number: x":       "line 1: number: must be a whole number",
		"number: !tag x":  "line 1: number: must be a whole number",
		"number: *x":      "unknown anchor referenced",
		"number: [a":      "did not find expected ',' or ']'",
		"number: {a: 1}":  "line 1: number: must be a whole number",
		"number: 1\nx: 2": "line 2: unknown field; the known fields are number",
	} {
		var into struct{ Number int }
		f, err := strictyaml.Parse([]byte(text), "document", &into)
		if err == nil {
			err = f.Err()
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: want %q, got %v", text, says, err)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"id", "grantTypes", "secretSHA256", "certFile", "passwordHash", "file", "scopes"}
	for name, want := range map[string]string{
		"grantType": "grantTypes", "granttypes": "grantTypes", "grant_types": "grantTypes", "grnatTypes": "grantTypes", "scope": "scopes", "flie": "file",
		"cert": "certFile", "password": "passwordHash", "secretSHA265": "secretSHA256", "ids": "id", "scopes": "scopes",
		"admin": "", "": "", "x": "", "hunter2": "", "f": "", strings.Repeat("scopes", 1000): "", strings.Repeat("x", 1000): "",
	} {
		if got := strictyaml.Nearest(name, known); got != want {
			t.Errorf("%.20q: %q, want %q", name, got, want)
		}
	}
}

// What a rule says of a field follows from an earlier mistake if the field has no value because of it.
func TestConsequentialErrorsAreOmitted(t *testing.T) {
	type file struct {
		Outer []struct {
			Name  string
			Size  int
			Inner struct{ Size int }
		}
		Size int
	}
	for _, c := range []struct {
		text, field, rule string
		follows           bool
	}{
		{"outer: [{nam: a}]", "outer[0].name", "must be set", true},
		{"outer: [{nam: a, name: b}]", "outer[0].name", "must be longer", false},
		{"outer: [{nam: a}]", "outer[0].size", "must be set", false},
		{"outer: [{nam: a}]", "outer[0]", "needs a name", true},
		{"outer: [{nam: a}]", "outer[0].inner", "needs a name", true},
		{"outer: [{nam: a}]", "outer[0].inner", "needs a username", false},
		{"outer: [{nam: a}, {}]", "outer[1]", "needs a name", false},
		{"outer: [{nam: a}, {}]", "outer[1]", "differs from outer[0].name", true},
		{"outer: [{inner: [1]}]", "outer[0].inner.size", "must be set", true},
		{"outer: [{inner: [1]}]", "outer[0].size", "must be set", false},
		{"outer: x", "outer[0].size", "must be set", true},
		{"outer: [x, {}]", "outer[0].size", "must be set", true},
		{"outer: [x, {}]", "outer[1].size", "must be set", false},
		{"sise: 1", "size", "must be set", true},
		{"sise: 1", "outer", "needs a size", true},
		{"sizes: 1\noutre: []", "outer", "must be set", true},
	} {
		var into file
		f, err := strictyaml.Parse([]byte(c.text), "document", &into)
		if err != nil {
			t.Fatal(err)
		}
		if f.Err() == nil {
			t.Errorf("%s: nothing is wrong", c.text)
		}
		f.Add(c.field, "%s", c.rule)
		if said := strings.Contains(f.Err().Error(), c.field+": "+c.rule); said == c.follows {
			t.Errorf("%s, and %s: %s:\n%v", c.text, c.field, c.rule, f.Err())
		}
	}
	var into file
	f, err := strictyaml.Parse([]byte("size: 1\nouter: []"), "document", &into)
	if err != nil || f.Err() != nil {
		t.Fatal(err, f.Err())
	}
	f.Add("size", "is the wrong size")
	f.Add("outer", "needs another size")
	f.Add("size", "is no size")
	if text := f.Err().Error(); text != "line 1: size: is the wrong size\nline 1: size: is no size" {
		t.Errorf("of rules: %s", text)
	}
}
