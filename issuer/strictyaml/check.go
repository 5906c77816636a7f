package strictyaml

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// check validates the document against the type that it is decoded into. The YAML library does not name fields in its
// errors, and decodes nothing of a mapping with a duplicate key.
func (f *Findings) check(into any) {
	t := reflect.TypeOf(into)
	c := &checker{findings: f, seen: map[visit]bool{}, names: map[string]bool{}}
	collectNames(t, c.names, map[reflect.Type]bool{})
	for _, node := range f.document.Content {
		c.value(node, t, "", "")
	}
}

type checker struct {
	findings *Findings
	// seen are the values that were checked: an alias may repeat a value, or be within itself.
	seen map[visit]bool
	// names are the names of all fields at any level. They are not secret.
	names map[string]bool
}

type visit struct {
	node *yaml.Node
	t    reflect.Type
}

// value checks one value. list is the list that the value is an element of, or "".
func (c *checker) value(node *yaml.Node, t reflect.Type, path, list string) {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if c.seen[visit{node, t}] {
		return
	}
	c.seen[visit{node, t}] = true
	switch kind := t.Kind(); {
	case hasUnmarshaler(t):
		c.decode(node, t, path, list)
	case kind == reflect.Struct && node.Kind == yaml.MappingNode:
		c.members(node, path, t, fieldsOf(t))
	case kind == reflect.Map && node.Kind == yaml.MappingNode:
		c.members(node, path, t, nil)
	case kind == reflect.Slice && node.Kind == yaml.SequenceNode:
		for i, element := range node.Content {
			c.element(element, t.Elem(), path, i)
		}
	case typeName(kind) == "":
		c.decode(node, t, path, list)
	case kind == reflect.Struct || kind == reflect.Map || kind == reflect.Slice || node.Decode(reflect.New(t).Interface()) != nil:
		if kind == reflect.Struct { // only the fields of this element are missing
			list = ""
		}
		c.invalid(node.Line, path, list, "must be "+typeName(kind))
		*node = zero(kind, node.Line) // keeps the indexes of later elements
	}
}

// hasUnmarshaler reports whether a type implements an unmarshaler.
func hasUnmarshaler(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[yaml.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func typeName(kind reflect.Kind) string {
	switch kind {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "a mapping of names to values"
	default:
		return ""
	}
}

func zero(kind reflect.Kind, line int) yaml.Node {
	switch kind {
	case reflect.Struct, reflect.Map:
		return yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: line}
	case reflect.Slice:
		return yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: line}
	case reflect.String:
		return yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Line: line}
	case reflect.Bool:
		return yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "false", Line: line}
	default:
		return yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: "0", Line: line}
	}
}

// members checks the members of a mapping against the fields of a struct, or, if fields is nil, against the element
// type of a map.
func (c *checker) members(node *yaml.Node, path string, t reflect.Type, fields map[string]reflect.Type) {
	lines := map[string]int{}
	kept := node.Content[:0:0]
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Tag == "!!merge" {
			c.merged(value, path, t)
			kept = append(kept, key, value)
			continue
		}
		of, known := fields[key.Value]
		if fields == nil {
			of, known = t.Elem(), true
		}
		line, repeated := lines[key.Value]
		lines[key.Value] = key.Line
		field := join(path, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode:
			c.invalid(key.Line, path, "", "must have names that are strings")
			continue
		case !known && !repeated:
			c.unknown(key, path, node, fields)
		case repeated && known:
			c.invalid(key.Line, field, "", fmt.Sprintf("is set twice: it is also in line %d", line))
		case !repeated && isEmpty(value) && !isClaims(path):
			c.invalid(key.Line, field, "", "has no value: set a value, or remove the field")
		case !repeated && !isEmpty(value):
			c.value(value, of, field, "")
		}
		if !repeated {
			kept = append(kept, key, value)
		}
	}
	node.Content = kept
}

// merged checks the mappings that are merged into a mapping.
func (c *checker) merged(value *yaml.Node, path string, t reflect.Type) {
	for value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	switch value.Kind {
	case yaml.MappingNode:
		c.value(value, t, path, "")
	case yaml.SequenceNode:
		for _, one := range value.Content {
			c.value(one, t, path, "")
		}
	default: // the YAML library returns an error
	}
}

func (c *checker) element(node *yaml.Node, t reflect.Type, path string, i int) {
	at := fmt.Sprintf("%s[%d]", path, i)
	if isEmpty(node) {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() == reflect.Struct {
			path = ""
		}
		c.invalid(node.Line, at, path, "has no value: set a value, or remove the element")
		*node = zero(t.Kind(), node.Line)
		return
	}
	c.value(node, t, at, path)
}

// decode decodes a value whose type has an unmarshaler.
func (c *checker) decode(node *yaml.Node, t reflect.Type, path, list string) {
	if !isClaims(path) {
		c.rejectEmpty(node, path)
	}
	err := node.Decode(reflect.New(t).Interface())
	if err == nil {
		return
	}
	c.findings.unreadable = append(c.findings.unreadable, path)
	if list != "" {
		c.findings.unreadable = append(c.findings.unreadable, list)
	}
	if mistyped, ok := err.(*yaml.TypeError); ok { //nolint:errorlint // the library wraps none
		for _, problem := range mistyped.Errors {
			c.findings.recordYAMLError(path, node.Line, problem)
		}
		return
	}
	c.findings.recordYAMLError(path, node.Line, err.Error())
}

// rejectEmpty reports fields without a value, for example from a template with an empty variable. An empty value
// could have another meaning than intended: an empty list of scopes would mean all of them.
func (c *checker) rejectEmpty(node *yaml.Node, path string) {
	switch node.Kind {
	case yaml.SequenceNode:
		for i, child := range node.Content {
			c.rejectEmpty(child, fmt.Sprintf("%s[%d]", path, i))
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			field := join(path, node.Content[i].Value)
			if isEmpty(node.Content[i+1]) {
				c.invalid(node.Content[i].Line, field, "", "has no value: set a value, or remove the field")
			} else {
				c.rejectEmpty(node.Content[i+1], field)
			}
		}
	default: // a scalar, or an alias, whose anchor is checked
	}
}

// unknown reports an unknown field. It quotes the name only if it cannot be a secret: if it is similar to a known
// field, or is a field of another object.
func (c *checker) unknown(key *yaml.Node, path string, node *yaml.Node, fields map[string]reflect.Type) {
	known := slices.Sorted(maps.Keys(fields))
	nearest := Nearest(key.Value, known)
	switch {
	case nearest != "":
		c.findings.record(key.Line, join(path, key.Value), "unknown field; did you mean "+nearest+"?")
		if _, set := child(node, nearest); set == nil {
			c.findings.unreadable = append(c.findings.unreadable, join(path, nearest))
		}
	case c.names[key.Value]:
		c.findings.record(key.Line, join(path, key.Value), "unknown field here; the known fields are "+strings.Join(known, ", "))
	default:
		c.findings.record(key.Line, path, "unknown field; the known fields are "+strings.Join(known, ", "))
	}
}

// invalid reports an invalid value, and marks it and its list as unreadable.
func (c *checker) invalid(line int, field, list, text string) {
	c.findings.record(line, field, text)
	c.findings.unreadable = append(c.findings.unreadable, field)
	if list != "" {
		c.findings.unreadable = append(c.findings.unreadable, list)
	}
}

// isClaims reports whether a field holds claims of a user, which may be null.
func isClaims(field string) bool { return field == "claims" || strings.HasSuffix(field, ".claims") }

func isEmpty(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

func join(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }

// fieldsOf returns the types of the fields of a struct by their YAML names.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		switch {
		case !field.IsExported() || name == "-":
		case options == "inline":
			maps.Copy(fields, fieldsOf(field.Type))
		case name == "":
			fields[strings.ToLower(field.Name)] = field.Type
		default:
			fields[name] = field.Type
		}
	}
	return fields
}

func collectNames(t reflect.Type, names map[string]bool, seen map[reflect.Type]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] || hasUnmarshaler(t) {
		return
	}
	seen[t] = true
	for name, field := range fieldsOf(t) {
		names[name] = true
		collectNames(field, names, seen)
	}
}
