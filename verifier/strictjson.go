package verifier

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/json"
)

// object is a JSON object that was read strictly. A handful of members is searched faster in a list than in a map.
type object []member

// member is a member of an object: its name decoded, its value as it is written.
type member struct{ name, value string }

// parseObject reads text, which must be exactly one JSON object (RFC 8259), and appends its members to into. It refuses all that two readers could understand in two ways: duplicate members at any depth, invalid UTF-8, escapes of
// half a surrogate pair, and text after the object. FuzzParseObject compares it with go-jose's reader.
//
// It decodes names alone, once, and copies nothing, so that the claims of a token are read in a microsecond.
func parseObject(text string, into object) (object, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("not valid UTF-8")
	}
	r := reader{text: text}
	r.space()
	if r.peek() != '{' {
		return nil, errors.New("not a JSON object")
	}
	members, err := r.object(into)
	if err != nil {
		return nil, err
	}
	if r.space(); r.at < len(text) {
		return nil, errors.New("text after the JSON object")
	}
	return members, nil
}

// find returns the value of a member as it is written, "" if there is no such member.
func (o object) find(name string) string {
	for i := range o {
		if o[i].name == name {
			return o[i].value
		}
	}
	return ""
}

// has tells whether there is a member of this name, whatever its value.
func (o object) has(name string) bool { return o.find(name) != "" }

// textOf returns a value that is a string.
func textOf(value string) (text string, ok bool) {
	if !strings.HasPrefix(value, `"`) {
		return "", false
	}
	if !strings.Contains(value, `\`) {
		return value[1 : len(value)-1], true
	}
	return unescape(value)
}

// unescape decodes a string with escapes, which are rare.
func unescape(value string) (text string, ok bool) {
	return text, json.Unmarshal([]byte(value), &text) == nil
}

// listOf returns the elements of a value that is a list, each as it is written.
func listOf(value string) (elements []string, ok bool) {
	if !strings.HasPrefix(value, "[") {
		return nil, false
	}
	r := reader{text: value}
	elements, _ = r.list(make([]string, 0, 4)) // it was read before
	return elements, true
}
