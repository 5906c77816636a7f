package jwtverify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	josejson "github.com/go-jose/go-jose/v4/json"

	"github.com/keywright/keywright/issuer/token"
)

// object decodes a JSON object that all readers read alike, every number as a json.Number, with its digits. Its names are case-sensitive, and one that is there twice is an
// error at any depth: some would read the first, and some the last.
func object(text []byte) (map[string]any, error) {
	wrong := fmt.Errorf("ambiguous JSON: repeated names, invalid UTF-8, trailing data, or over %d levels", token.MaxDepth)
	if !utf8.Valid(text) || deep(text) {
		return nil, wrong
	}
	var members map[string]any
	decoder := josejson.NewDecoder(bytes.NewReader(text))
	decoder.SetNumberType(josejson.UnmarshalJSONNumber)
	if err := decoder.Decode(&members); err != nil || members == nil {
		return nil, wrong
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) { // nothing comes after it
		return nil, wrong
	}
	if bytes.Contains(text, []byte(`\u`)) && replaced(members) {
		return nil, wrong
	}
	members, _ = standard(members).(map[string]any)
	return members, nil
}

// standard turns the numbers of the JOSE library into those of encoding/json.
func standard(value any) any {
	switch v := value.(type) {
	case josejson.Number:
		return json.Number(v)
	case []any:
		for i := range v {
			v[i] = standard(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = standard(v[name])
		}
	}
	return value
}

// deep looks at brackets before a parser recurses into them. Those within texts count too.
func deep(text []byte) bool {
	depth := 0
	for _, b := range text {
		switch b {
		case '{', '[':
			if depth++; depth > token.MaxDepth {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// replaced reports whether a text has the character that stands for what could not be decoded: half of a surrogate pair.
// Different texts would otherwise become one.
func replaced(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.ContainsRune(v, utf8.RuneError)
	case []any:
		for _, inner := range v {
			if replaced(inner) {
				return true
			}
		}
	case map[string]any:
		for name, inner := range v {
			if replaced(name) || replaced(inner) {
				return true
			}
		}
	}
	return false
}
