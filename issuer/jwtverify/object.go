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

// parseObject decodes a JSON object with json.Number. It rejects duplicate names at any depth, because parsers differ
// on them. Names are case-sensitive.
func parseObject(text []byte) (map[string]any, error) {
	wrong := fmt.Errorf("must be a single JSON object, without repeated names, invalid UTF-8, data after its end, or more than %d levels", token.MaxDepth)
	if !utf8.Valid(text) || exceedsDepth(text) {
		return nil, wrong
	}
	var members map[string]any
	decoder := josejson.NewDecoder(bytes.NewReader(text))
	decoder.SetNumberType(josejson.UnmarshalJSONNumber)
	if err := decoder.Decode(&members); err != nil || members == nil {
		return nil, wrong
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) { // rejects trailing data
		return nil, wrong
	}
	if bytes.Contains(text, []byte(`\u`)) && hasReplacementCharacter(members) {
		return nil, wrong
	}
	members, _ = toJSONNumbers(members).(map[string]any)
	return members, nil
}

// toJSONNumbers converts the numbers of the JOSE library to those of encoding/json.
func toJSONNumbers(value any) any {
	switch v := value.(type) {
	case josejson.Number:
		return json.Number(v)
	case []any:
		for i := range v {
			v[i] = toJSONNumbers(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = toJSONNumbers(v[name])
		}
	}
	return value
}

// exceedsDepth counts brackets before a recursive parser runs. Brackets in strings count too.
func exceedsDepth(text []byte) bool {
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

// hasReplacementCharacter reports whether a string contains U+FFFD, which replaces lone surrogates and would make
// different strings equal.
func hasReplacementCharacter(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.ContainsRune(v, utf8.RuneError)
	case []any:
		for _, inner := range v {
			if hasReplacementCharacter(inner) {
				return true
			}
		}
	case map[string]any:
		for name, inner := range v {
			if hasReplacementCharacter(name) || hasReplacementCharacter(inner) {
				return true
			}
		}
	}
	return false
}
