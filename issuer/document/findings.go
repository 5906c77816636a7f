package document

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

// Findings collects all that is wrong with a document, in the order of its lines.
type Findings struct {
	document *yaml.Node
	found    []finding
	// unread are the fields that have no value because of a mistake that was found: what a rule says of them follows from it.
	unread []string
}

type finding struct {
	line        int
	field, text string
}

// Add says what is wrong with a field, which is named like clients[0].grantTypes. It is left out if it follows from what was found before:
// if the field could not be read, or if the text names one that could not, or one beside it that is wrong itself.
func (f *Findings) Add(field, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, unread := range f.unread {
		if isWithin(field, unread) || isWithin(field, parent(unread)) && names(text, unread) ||
			strings.Contains(unread, ".") && strings.Contains(text, unread) {
			return
		}
	}
	for _, before := range f.found {
		if before.field != field && parent(before.field) == parent(field) && names(text, before.field) {
			return
		}
	}
	f.say(lineOf(f.document, field), field, text)
}

func (f *Findings) say(line int, field, text string) {
	said := fmt.Sprintf("line %d: %s: %s", line, field, text)
	if field == "" {
		said = fmt.Sprintf("line %d: %s", line, text)
	}
	f.found = append(f.found, finding{line, field, said})
}

// isWithin reports whether a field is outer or within it. Every field is within the document, which has no name.
func isWithin(field, outer string) bool {
	rest, found := strings.CutPrefix(field, outer)
	return found && (outer == "" || rest == "" || rest[0] == '.' || rest[0] == '[')
}

// parent is the field that a field is in.
func parent(field string) string { return field[:max(strings.LastIndexAny(field, ".["), 0)] }

// names reports whether a text has the name of a field as a word. Elements of lists have none.
func names(text, field string) bool {
	name := field[strings.LastIndex(field, ".")+1:]
	if name == "" || strings.HasSuffix(name, "]") {
		return false
	}
	return slices.Contains(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), name)
}

var lineNumber = regexp.MustCompile(`^line (\d+): `)

// problem takes what the YAML library found, which begins with a line, or is in this one.
func (f *Findings) problem(field string, line int, text string) {
	text = withoutValues(strings.TrimPrefix(text, "yaml: "))
	if match := lineNumber.FindStringSubmatch(text); match != nil {
		line, _ = strconv.Atoi(match[1])
		text = text[len(match[0]):]
	}
	f.say(line, field, text)
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
