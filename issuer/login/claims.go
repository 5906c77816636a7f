package login

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/keywright/keywright/issuer/token"
)

// claims are the attributes of a user, as encoding/json decodes them with json.Number, so that a token has the same
// digits as the list.
type claims map[string]any

// UnmarshalYAML accepts values that JSON has, by the core schema of YAML 1.2: no, on and 2026-01-31 are strings. It
// rejects values that would change in the token.
func (c *claims) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.MappingNode {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: must be a mapping of names to values", node.Line)}}
	}
	if err := node.Decode(&map[string]any{}); err != nil { // rejects duplicate keys and recursive aliases
		var mistyped *yaml.TypeError
		if errors.As(err, &mistyped) {
			return err // contains the line
		}
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: must be a value that JSON can represent", node.Line)}}
	}
	r := claimReader{left: maxValues}
	value, err := r.read(node, 1)
	if err != nil {
		return &yaml.TypeError{Errors: []string{err.Error()}}
	}
	members, ok := value.(map[string]any)
	if !ok {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: must be a value that JSON can represent", node.Line)}}
	}
	*c = members
	return nil
}

// maxValues limits the values in one user's claims, because aliases can multiply them.
const maxValues = 10_000

// claimReader converts YAML to the values that encoding/json decodes.
type claimReader struct{ left int }

func (r *claimReader) read(node *yaml.Node, depth int) (any, error) {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("line %d: %s", node.Line, fmt.Sprintf(format, args...))
	}
	if r.left--; r.left < 0 {
		return nil, wrong("have more than %d values", maxValues)
	}
	if depth > token.MaxDepth && node.Kind != yaml.ScalarNode {
		return nil, wrong("are nested deeper than %d levels, which no verifier would accept", token.MaxDepth)
	}
	switch node.Kind {
	case yaml.SequenceNode:
		list := make([]any, 0, len(node.Content))
		for _, child := range node.Content {
			value, err := r.read(child, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	case yaml.MappingNode:
		return r.readMembers(node, depth, wrong)
	case yaml.ScalarNode:
		return readScalar(node, wrong)
	default: // a document cannot be nested
		return nil, wrong("must be a value that JSON can represent")
	}
}

func (r *claimReader) readMembers(node *yaml.Node, depth int, wrong func(string, ...any) error) (any, error) {
	members := make(map[string]any, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		name := node.Content[i]
		if name.Kind != yaml.ScalarNode || name.Tag != "!!str" {
			return nil, wrong("must be a value that JSON can represent: write this name in quotes")
		}
		value, err := r.read(node.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		members[name.Value] = value
	}
	return members, nil
}

// jsonNumber is the number of RFC 8259 section 6.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

func readScalar(node *yaml.Node, wrong func(string, ...any) error) (any, error) {
	switch node.Tag {
	case "!!null":
		return nil, nil
	case "!!bool":
		return strings.EqualFold(node.Value, "true"), nil
	case "!!int", "!!float":
		if !jsonNumber.MatchString(node.Value) { // 0123, 0x7f, 1_000, +1 and .inf, which parsers interpret differently
			return nil, wrong("must be a value that JSON can represent: programs read this number differently. Write it as in JSON, or in quotes")
		}
		return json.Number(node.Value), nil
	case "!!str", "!!timestamp":
		return node.Value, nil
	}
	return nil, wrong("must be a value that JSON can represent")
}
