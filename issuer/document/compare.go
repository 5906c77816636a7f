package document

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// compare compares the document with the type that it is read into. The YAML library could do it, but it names no fields, and reads
// nothing of a mapping with a name that is repeated.
func (f *Findings) compare(into any) {
	t := reflect.TypeOf(into)
	c := &comparison{findings: f, seen: map[visit]bool{}, names: map[string]bool{}}
	collectNames(t, c.names, map[reflect.Type]bool{})
	for _, node := range f.document.Content {
		c.value(node, t, "", "")
	}
}

type comparison struct {
	findings *Findings
	// seen are the values that were looked at: an alias makes one of several, and may be within itself.
	seen map[visit]bool
	// names are those of all fields, wherever they belong. They are not secret.
	names map[string]bool
}

type visit struct {
	node *yaml.Node
	t    reflect.Type
}

// value compares one value. list is the list that it is an element of, empty if it is of none.
func (c *comparison) value(node *yaml.Node, t reflect.Type, path, list string) {
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
	case readsItself(t):
		c.decode(node, t, path, list)
	case kind == reflect.Struct && node.Kind == yaml.MappingNode:
		c.members(node, path, t, fieldsOf(t))
	case kind == reflect.Map && node.Kind == yaml.MappingNode:
		c.members(node, path, t, nil)
	case kind == reflect.Slice && node.Kind == yaml.SequenceNode:
		for i, element := range node.Content {
			c.element(element, t.Elem(), path, i)
		}
	case words(kind) == "":
		c.decode(node, t, path, list)
	case kind == reflect.Struct || kind == reflect.Map || kind == reflect.Slice || node.Decode(reflect.New(t).Interface()) != nil:
		if kind == reflect.Struct { // what it must have is known to be missing there alone
			list = ""
		}
		c.wrong(node.Line, path, list, "must be "+words(kind))
		*node = zero(kind, node.Line) // so that those behind it keep their numbers
	}
}

// readsItself reports whether a type has a way of its own to be read.
func readsItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[yaml.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func words(kind reflect.Kind) string {
	switch kind {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "a mapping, of names to values"
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

// members compares the members of a mapping with the fields of a struct, or, where these are nil, with the type of a map's values.
func (c *comparison) members(node *yaml.Node, path string, t reflect.Type, fields map[string]reflect.Type) {
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
		field := within(path, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode:
			c.wrong(key.Line, path, "", "must have names that are texts")
			continue
		case !known && !repeated:
			c.unknown(key, path, node, fields)
		case repeated && known:
			c.wrong(key.Line, field, "", fmt.Sprintf("is set twice: line %d has it, too", line))
		case !repeated && isEmpty(value) && !isClaims(path):
			c.wrong(key.Line, field, "", "has no value: give it one, or leave the field out")
		case !repeated && !isEmpty(value):
			c.value(value, of, field, "")
		}
		if !repeated {
			kept = append(kept, key, value)
		}
	}
	node.Content = kept
}

// merged compares what a mapping takes from others.
func (c *comparison) merged(value *yaml.Node, path string, t reflect.Type) {
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
	default: // the library says what it must be
	}
}

func (c *comparison) element(node *yaml.Node, t reflect.Type, path string, i int) {
	at := fmt.Sprintf("%s[%d]", path, i)
	if isEmpty(node) {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() == reflect.Struct {
			path = ""
		}
		c.wrong(node.Line, at, path, "has no value: give it one, or leave it out")
		*node = zero(t.Kind(), node.Line)
		return
	}
	c.value(node, t, at, path)
}

// decode has a type that reads itself do so.
func (c *comparison) decode(node *yaml.Node, t reflect.Type, path, list string) {
	if !isClaims(path) {
		c.refuseEmpty(node, path)
	}
	err := node.Decode(reflect.New(t).Interface())
	if err == nil {
		return
	}
	c.findings.unread = append(c.findings.unread, path)
	if list != "" {
		c.findings.unread = append(c.findings.unread, list)
	}
	if mistyped, ok := err.(*yaml.TypeError); ok { //nolint:errorlint // the library wraps none
		for _, problem := range mistyped.Errors {
			c.findings.problem(path, node.Line, problem)
		}
		return
	}
	c.findings.problem(path, node.Line, err.Error())
}

// refuseEmpty finds fields that are written and have no value, like a template's whose value came out empty. What it would mean is not
// what whoever wrote the field meant: an empty list of scopes would be all of them.
func (c *comparison) refuseEmpty(node *yaml.Node, path string) {
	switch node.Kind {
	case yaml.SequenceNode:
		for i, child := range node.Content {
			c.refuseEmpty(child, fmt.Sprintf("%s[%d]", path, i))
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			field := within(path, node.Content[i].Value)
			if isEmpty(node.Content[i+1]) {
				c.wrong(node.Content[i].Line, field, "", "has no value: give it one, or leave the field out")
			} else {
				c.refuseEmpty(node.Content[i+1], field)
			}
		}
	default: // a scalar; an alias is checked where it is an anchor
	}
}

// unknown names a field only where its name is no secret: if it is near that of a field, or that of a field elsewhere.
func (c *comparison) unknown(key *yaml.Node, path string, node *yaml.Node, fields map[string]reflect.Type) {
	known := slices.Sorted(maps.Keys(fields))
	nearest := Nearest(key.Value, known)
	switch {
	case nearest != "":
		c.findings.say(key.Line, within(path, key.Value), "unknown field; did you mean "+nearest+"?")
		if _, set := child(node, nearest); set == nil {
			c.findings.unread = append(c.findings.unread, within(path, nearest))
		}
	case c.names[key.Value]:
		c.findings.say(key.Line, within(path, key.Value), "unknown field here; known are "+strings.Join(known, ", "))
	default:
		c.findings.say(key.Line, path, "unknown field; known are "+strings.Join(known, ", "))
	}
}

// wrong says what is wrong with a value, which is then taken for one that could not be read. So is the list that it is in.
func (c *comparison) wrong(line int, field, list, text string) {
	c.findings.say(line, field, text)
	c.findings.unread = append(c.findings.unread, field)
	if list != "" {
		c.findings.unread = append(c.findings.unread, list)
	}
}

// isClaims reports whether a field has claims. They are somebody's data, and may be null.
func isClaims(field string) bool { return field == "claims" || strings.HasSuffix(field, ".claims") }

func isEmpty(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

func within(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }

// fieldsOf returns the types of the fields of a struct by the names that the YAML library gives them.
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
	if t.Kind() != reflect.Struct || seen[t] || readsItself(t) {
		return
	}
	seen[t] = true
	for name, field := range fieldsOf(t) {
		names[name] = true
		collectNames(field, names, seen)
	}
}
