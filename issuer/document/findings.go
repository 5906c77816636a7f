package document

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Findings collects all that is wrong with a document, in the order of its lines.
type Findings struct {
	document *yaml.Node
	found    []finding
}

type finding struct {
	line int
	text string
}

// Add says what is wrong with a field, which is named like clients[0].grantTypes.
func (f *Findings) Add(field, format string, args ...any) {
	line := lineOf(f.document, field)
	f.found = append(f.found, finding{line, fmt.Sprintf("line %d: %s: %s", line, field, fmt.Sprintf(format, args...))})
}

var lineNumber = regexp.MustCompile(`^line (\d+):`)

// problem takes what the YAML library found, which begins with a line.
func (f *Findings) problem(text string) {
	line := 0
	if match := lineNumber.FindStringSubmatch(text); match != nil {
		line, _ = strconv.Atoi(match[1])
	}
	f.found = append(f.found, finding{line, text})
}

// Err is one error of all findings, each with its line; nil if there are none.
func (f *Findings) Err() error {
	slices.SortStableFunc(f.found, func(a, b finding) int { return a.line - b.line })
	errs := make([]error, len(f.found))
	for i, found := range f.found {
		errs[i] = errors.New(found.text)
	}
	return errors.Join(errs...)
}

// Has reports whether a document has a field, whatever its value.
func (f *Findings) Has(field string) bool {
	_, found := find(f.document, field)
	return found
}

// refuseEmpty finds fields that are written and have no value, like a template's whose value came out empty. What it would mean is not
// what whoever wrote the field meant: an empty list of scopes would be all of them. Claims are somebody's data, and may be null.
func (f *Findings) refuseEmpty(node *yaml.Node, path string) {
	switch node.Kind {
	case yaml.DocumentNode:
		for _, child := range node.Content {
			f.refuseEmpty(child, path)
		}
	case yaml.SequenceNode:
		for i, child := range node.Content {
			f.refuseEmpty(child, fmt.Sprintf("%s[%d]", path, i))
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			name, value := node.Content[i].Value, node.Content[i+1]
			field := strings.TrimPrefix(path+"."+name, ".")
			if value.Kind == yaml.ScalarNode && value.Tag == "!!null" {
				f.found = append(f.found, finding{node.Content[i].Line, fmt.Sprintf("line %d: %s: has no value: give it one, or leave the field out",
					node.Content[i].Line, field)})
			} else if name != "claims" {
				f.refuseEmpty(value, field)
			}
		}
	default: // a scalar; an alias is checked where it is an anchor
	}
}

// lineOf is the line of a field, or of the nearest one around it that the document has.
func lineOf(document *yaml.Node, field string) int {
	line, _ := find(document, field)
	return line
}

// find returns the line of a field, or of the nearest one around it, and whether the document has the field itself.
func find(document *yaml.Node, field string) (line int, found bool) {
	node := document
	if node.Kind == yaml.DocumentNode && len(node.Content) > 0 {
		node = node.Content[0]
	}
	line = max(node.Line, 1)
	for _, step := range strings.FieldsFunc(field, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		key, next := child(node, step)
		if next == nil {
			return line, false
		}
		node, line = next, key.Line
	}
	return line, true
}

// child returns a member of a mapping with its key, or an element of a sequence twice.
func child(node *yaml.Node, step string) (key, value *yaml.Node) {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i], node.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i < len(node.Content) {
			return node.Content[i], node.Content[i]
		}
	default:
	}
	return nil, nil
}
