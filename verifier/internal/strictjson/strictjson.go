package strictjson

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/json"
)

// Object is a JSON object that was read strictly. A handful of members is searched faster in a list than in a map.
type Object []Member

// Member is a member of an Object: its name decoded, its value as it is written.
type Member struct{ Name, Value string }

// Parse reads text, which must be exactly one JSON object (RFC 8259), and appends its members to into. It refuses all that two
// readers could understand in two ways: duplicate members at any depth, invalid UTF-8, escapes of half a surrogate pair, and text
// after the object. An error quotes no part of the text. FuzzParseObject compares it with go-jose's reader.
//
// It decodes names alone, once, and copies nothing, so that the claims of a token are read in a microsecond.
func Parse(text string, into Object) (Object, error) {
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

// Find returns the value of a member as it is written, "" if there is no such member.
func (o Object) Find(name string) string {
	for i := range o {
		if o[i].Name == name {
			return o[i].Value
		}
	}
	return ""
}

// Has reports whether there is a member of this name, whatever its value.
func (o Object) Has(name string) bool { return o.Find(name) != "" }

// Text returns a value that is a string.
func Text(value string) (text string, ok bool) {
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

// List returns the elements of a value that is a list, each as it is written.
func List(value string) (elements []string, ok bool) {
	if !strings.HasPrefix(value, "[") {
		return nil, false
	}
	elements = make([]string, 0, 4)
	r := reader{text: value}
	_ = r.elements(&elements) // it was read before
	return elements, true
}
