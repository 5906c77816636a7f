package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// foreign are types of Kubernetes: its documentation has their fields.
func foreign(path string) string {
	return map[string]string{
		"spec.distribution.namespaceSelector": "[LabelSelector](https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/)",
		"status.conditions":                   "list of [Condition](https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.36/#condition-v1-meta)",
	}[path]
}

// preface begins the page.
const preface = "<!-- Made by `make generate` from the Go types: edit the comments there. -->\n# Reference of the resources\n\n" +
	"Every field of [SigningKey](#signingkey), [Revocation](#revocation) and [TrustedIssuer](#trustedissuer). An indented field belongs to the field above it.\n"

// chapter is the reference of one resource.
func chapter(crd definition) string {
	v := crd.Spec.Versions[0]
	root := v.Schema.Root
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", crd.Spec.Names.Kind)
	fmt.Fprintf(&b, "`%s/%s`, %s, `kubectl get %s`. %s\n\n", crd.Spec.Group, v.Name, scope(crd.Spec.Scope), crd.Spec.Names.Plural, line(root.Description))
	fmt.Fprintf(&b, "[%s](%s.md) explains what happens, with examples.\n\n", crd.Spec.Names.Kind, strings.ToLower(crd.Spec.Names.Kind))
	for _, r := range root.Rules {
		fmt.Fprintf(&b, "%s.\n\n", line(r.Message))
	}
	for _, part := range []struct{ name, heading string }{
		{"spec", "| field | type | default | meaning, and what is refused |"},
		{"status", "| field | type | there | meaning |"},
	} {
		s := root.Properties[part.name]
		fmt.Fprintf(&b, "### %s\n\n%s\n\n%s\n|---|---|---|---|\n", part.name, meaning(part.name, s.Description), part.heading)
		rows(&b, part.name, 0, s, map[string][]string{})
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "### What `kubectl get %s` shows\n\n| column | field |\n|---|---|\n", crd.Spec.Names.Plural)
	for _, c := range v.Columns {
		wide := ""
		if c.Priority > 0 {
			wide = ", with `-o wide`"
		}
		fmt.Fprintf(&b, "| %s | `%s`%s |\n", c.Name, strings.TrimPrefix(c.JSONPath, "."), wide)
	}
	return b.String()
}

// rows writes one row for each field of an object, and after it those of its own fields. blamed collects the messages of rules that an
// object has about a field further inside.
func rows(b *strings.Builder, path string, depth int, s schema, blamed map[string][]string) {
	for _, r := range s.Rules {
		if r.FieldPath != "" {
			blamed[path+r.FieldPath] = append(blamed[path+r.FieldPath], r.Message)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		field, at := s.Properties[name], path+"."+name
		kind := foreign(at)
		if kind == "" {
			kind = typeName(field)
		}
		fmt.Fprintf(b, "| %s`%s` | %s | %s | %s |\n", strings.Repeat("&emsp;", depth), name, kind,
			presence(field, at, slices.Contains(s.Required, name)), cell(append([]string{meaning(name, field.Description)}, bounds(field, blamed[at])...)))
		inner := field
		if field.Items != nil {
			inner = *field.Items
		}
		if foreign(at) == "" {
			rows(b, at, depth+1, inner, blamed)
		}
	}
}

func scope(s string) string {
	if s == "Cluster" {
		return "cluster-scoped"
	}
	return "namespaced"
}
