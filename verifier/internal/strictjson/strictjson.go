package strictjson

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/json"
)

// Object is a parsed JSON object. For a few members, a linear search is faster than a map.
type Object []Member

// Member is a member of an Object, with its decoded name and its encoded value.
type Member struct{ Name, Value string }

// Parse parses text, which must be exactly one JSON object (RFC 8259), and appends its members to into. It rejects
// input that two parsers could interpret differently: duplicate members at any depth, invalid UTF-8, lone surrogates,
// and text after the object. No error quotes the text. FuzzParseObject compares it with go-jose's parser.
//
// It decodes only names and copies nothing, so that it parses the claims of a token in a microsecond.
func Parse(text string, into Object) (Object, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("not valid UTF-8")
	}
	r := reader{text: text}
	r.skipSpace()
	if r.peek() != '{' {
		return nil, errors.New("not a JSON object")
	}
	members, err := r.object(into)
	if err != nil {
		return nil, err
	}
	if r.skipSpace(); r.at < len(text) {
		return nil, errors.New("text after the JSON object")
	}
	return members, nil
}

// Find returns the encoded value of a member, or "" if there is no such member.
func (o Object) Find(name string) string {
	for i := range o {
		if o[i].Name == name {
			return o[i].Value
		}
	}
	return ""
}

// Has reports whether there is a member with this name.
func (o Object) Has(name string) bool { return o.Find(name) != "" }

// Text decodes a value that is a string.
func Text(value string) (text string, ok bool) {
	if !strings.HasPrefix(value, `"`) {
		return "", false
	}
	if !strings.Contains(value, `\`) {
		return value[1 : len(value)-1], true
	}
	return unescape(value)
}

// unescape decodes a string with escapes.
func unescape(value string) (text string, ok bool) {
	return text, json.Unmarshal([]byte(value), &text) == nil
}

// List returns the encoded elements of a value that is a list.
func List(value string) (elements []string, ok bool) {
	if !strings.HasPrefix(value, "[") {
		return nil, false
	}
	elements = make([]string, 0, 4)
	r := reader{text: value}
	_ = r.elements(&elements) // the text was parsed before
	return elements, true
}
