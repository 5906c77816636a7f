package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const charts = "../../../charts/"

// node is a schema of a property.
type node struct {
	Ref         string          `json:"$ref"`
	Description string          `json:"description"`
	Properties  map[string]node `json:"properties"`
	Items       *node           `json:"items"`
	Additional  json.RawMessage `json:"additionalProperties"`
	Definitions map[string]node `json:"definitions"`
}

func read(t *testing.T, chart string) node {
	t.Helper()
	b, err := os.ReadFile(charts + chart + "/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var root node
	if err := json.Unmarshal(b, &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// resolved returns the schema that a reference names, or else of what a list consists of.
func (n node) resolved(root node) node {
	if name, ok := strings.CutPrefix(n.Ref, "#/definitions/"); ok {
		return root.Definitions[name]
	}
	if n.Items != nil {
		return *n.Items
	}
	return n
}

// allows reports whether a value with this path is valid.
func (n node) allows(root node, path []string) bool {
	n = n.resolved(root)
	if len(path) == 0 {
		return true
	}
	next, ok := n.Properties[path[0]]
	if !ok {
		return string(n.Additional) != "false"
	}
	return next.allows(root, path[1:])
}

// Editors show a description of each value.
func TestEachValueHasADescription(t *testing.T) {
	for _, chart := range []string{"keywright", "keywright-issuer"} {
		root := read(t, chart)
		var walk func(path string, n node)
		walk = func(path string, n node) {
			for name, property := range n.Properties {
				if property.Description == "" && root.Definitions[strings.TrimPrefix(property.Ref, "#/definitions/")].Description == "" {
					t.Errorf("chart %s: %s%s has no description: add a comment to values.yaml or to its field in Go, and run make generate", chart, path, name)
				}
				walk(path+name+".", property)
			}
			if n.Items != nil {
				walk(path, *n.Items)
			}
		}
		walk("", root)
		for name, definition := range root.Definitions {
			walk(name+".", definition)
		}
	}
}

// Each field of an issuer's configuration and of a SigningKey can be set with the chart, but for those that the chart sets.
func TestEachFieldIsAValue(t *testing.T) {
	fields, err := ofStructs("Config", "issuer.config", "../../../issuer/config", "../../../issuer/jwtverify")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := ofCRD("../../../config/crd/keywright.dev_signingkeys.yaml", "signingKey")
	if err != nil {
		t.Fatal(err)
	}
	set := []string{
		"issuer.config.issuer", "issuer.config.server.address", "issuer.config.server.metricsAddress", "issuer.config.server.tls",
		"issuer.config.signingKey", "issuer.config.users.file",
	}
	if len(fields) < 50 || len(spec) < 20 {
		t.Fatalf("only %d and %d fields were found", len(fields), len(spec))
	}
	for _, chart := range []string{"keywright", "keywright-issuer"} {
		root := read(t, chart)
		for _, of := range []map[string]string{fields, spec} {
			for path := range of {
				byChart := slices.ContainsFunc(set, func(s string) bool { return path == s || strings.HasPrefix(path, s+".") })
				if root.allows(root, strings.Split(path, ".")) == byChart {
					t.Errorf("chart %s: %s: is a value: %t", chart, path, byChart)
				}
			}
		}
	}
}

// Descriptions are replaced, those by hand stay, and so does the layout.
func TestDescribe(t *testing.T) {
	const schema = `{
  "properties": {
    "a": {"type": "string"},
    "b": {"description": "Old \"text\", {", "type": "object", "properties": {"c": {"type": "array", "items": {"properties": {"d": {"enum": [1]}}}}}},
    "e": {
      "type": "object"
    },
    "f": {"type": "string", "description": "By hand"},
    "g": {"type": "string"}
  }
}
`
	const want = `{
  "properties": {
    "a": {"description": "A \"quoted\" <text>", "type": "string"},
    "b": {"type": "object", "properties": {"c": {"description": "C", "type": "array", "items": {"properties": {"d": {"description": "D", "enum": [1]}}}}}},
    "e": {
      "description": "E",
      "type": "object"
    },
    "f": {"type": "string", "description": "By hand"},
    "g": {"type": "string"}
  }
}
`
	texts := map[string]string{"": "no property", "a": `A "quoted" <text>`, "b.c": "C", "b.c.d": "D", "e": "E", "f": "not used"}
	for _, in := range []string{schema, want} {
		got, err := describe([]byte(in), texts)
		if err != nil || string(got) != want {
			t.Errorf("%v\n%s", err, cmp.Diff(want, string(got)))
		}
	}
	for _, wrong := range []string{"", "[]", `{"properties": {"a": 1}}`, `{"properties": {"a": {}}`, "{} {}"} {
		if _, err := describe([]byte(wrong), texts); err == nil {
			t.Errorf("%q: no error", wrong)
		}
	}
}

func TestTextsOfGo(t *testing.T) {
	for in, want := range map[string]string{
		"Port is the port,\nby default 1.": "The port, by default 1.", "Ports are\nports": "Ports are ports", "Port limits it": "Limits it", "": "", "another": "Another", "Port of it": "Port of it",
	} {
		if got := withoutName("Port", in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := plain("See [a page](https://x) and `[]`"); got != "See a page (https://x) and `[]`" {
		t.Error(got)
	}
}
