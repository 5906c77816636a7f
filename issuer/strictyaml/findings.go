package strictyaml

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// Findings collects the errors of a document, sorted by line.
type Findings struct {
	document *yaml.Node
	found    []finding
	// unreadable are the fields that have no value because of a reported error. Further errors about them are
	// omitted.
	unreadable []string
}

type finding struct {
	line        int
	field, text string
}

// Add reports an error of a field, which is named like clients[0].grantTypes. It omits an error that follows from an
// earlier one: if the field could not be read, or if the text mentions a field that could not, or an invalid sibling.
func (f *Findings) Add(field, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, unread := range f.unreadable {
		if isWithin(field, unread) || isWithin(field, parent(unread)) && mentions(text, unread) ||
			strings.Contains(unread, ".") && strings.Contains(text, unread) {
			return
		}
	}
	for _, before := range f.found {
		if before.field != field && parent(before.field) == parent(field) && mentions(text, before.field) {
			return
		}
	}
	f.record(lineOf(f.document, field), field, text)
}

func (f *Findings) record(line int, field, text string) {
	said := fmt.Sprintf("line %d: %s: %s", line, field, text)
	if field == "" {
		said = fmt.Sprintf("line %d: %s", line, text)
	}
	f.found = append(f.found, finding{line, field, said})
}

// isWithin reports whether a field equals outer or is nested in it. The document itself has the name "".
func isWithin(field, outer string) bool {
	rest, found := strings.CutPrefix(field, outer)
	return found && (outer == "" || rest == "" || rest[0] == '.' || rest[0] == '[')
}

// parent returns the name of the enclosing field.
func parent(field string) string { return field[:max(strings.LastIndexAny(field, ".["), 0)] }

// mentions reports whether a text contains the name of a field as a word. Elements of lists have no name.
func mentions(text, field string) bool {
	name := field[strings.LastIndex(field, ".")+1:]
	if name == "" || strings.HasSuffix(name, "]") {
		return false
	}
	return slices.Contains(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), name)
}

var lineNumber = regexp.MustCompile(`^line (\d+): `)

// recordYAMLError records an error of the YAML library. If its text has no line, line is used.
func (f *Findings) recordYAMLError(field string, line int, text string) {
	text = withoutValues(strings.TrimPrefix(text, "yaml: "))
	if match := lineNumber.FindStringSubmatch(text); match != nil {
		line, _ = strconv.Atoi(match[1])
		text = text[len(match[0]):]
	}
	f.record(line, field, text)
}

// Err returns all findings as one error, each with its line, or nil if there are none.
func (f *Findings) Err() error {
	slices.SortStableFunc(f.found, func(a, b finding) int { return a.line - b.line })
	errs := make([]error, len(f.found))
	for i, found := range f.found {
		errs[i] = errors.New(found.text)
	}
	return errors.Join(errs...)
}

// Has reports whether the document has a field, even without a value.
func (f *Findings) Has(field string) bool {
	_, found := find(f.document, field)
	return found
}

// lineOf returns the line of a field, or of the nearest enclosing one in the document.
func lineOf(document *yaml.Node, field string) int {
	line, _ := find(document, field)
	return line
}

// find returns the line of a field, or of the nearest enclosing one, and whether the document has the field.
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

// child returns the key and the value of a member of a mapping. For a sequence, both are the element.
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
