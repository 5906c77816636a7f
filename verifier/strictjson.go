package verifier

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/json"
)

// maxDepth bounds the nesting of a header, of claims and of a key set. Three levels are in use; a decoder that recurses
// for each of thousands is a way to spend our memory.
const maxDepth = 32

// decodeObject decodes data, which must be exactly one JSON object (RFC 8259), and refuses all that two readers could
// understand in two ways: duplicate members at any depth, invalid UTF-8, escapes of half a surrogate pair, and text
// after the object. Numbers come as json.Number, with the digits that were written.
//
// The error may quote member names: do not show it where data is a token.
func decodeObject(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not valid UTF-8")
	}
	if err := checkNesting(data); err != nil {
		return nil, err
	}
	if hasLoneSurrogate(data) {
		return nil, errors.New("an escape of half a surrogate pair")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.SetNumberType(json.UnmarshalJSONNumber)
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if object == nil { // the text was null
		return nil, errors.New("not a JSON object")
	}
	var rest any
	if err := decoder.Decode(&rest); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the JSON object")
	}
	return object, nil
}

// checkNesting counts brackets outside strings, so that a deep text is refused before anything recurses into it.
func checkNesting(data []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++ // whatever is escaped, it does not end the string
		case c == '"':
			inString = !inString
		case inString:
		case c == '{', c == '[':
			depth++
			if depth > maxDepth {
				return fmt.Errorf("nested deeper than %d levels", maxDepth)
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return nil
}

// hasLoneSurrogate reports whether data escapes half a surrogate pair (RFC 8259 section 8.2). Decoders put U+FFFD in
// its place, and so make one string of many.
func hasLoneSurrogate(data []byte) bool {
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		first, ok := escapedUnit(data[i:])
		if !ok || !utf16.IsSurrogate(first) {
			i++ // over the escaped character, which may be a backslash
			continue
		}
		const length = len(`\u0000`)
		second, ok := escapedUnit(data[min(i+length, len(data)):])
		if !ok || utf16.DecodeRune(first, second) == utf8.RuneError {
			return true
		}
		i += 2*length - 1
	}
	return false
}

// escapedUnit returns the UTF-16 code unit that data begins with when it begins like \u0041.
func escapedUnit(data []byte) (rune, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return rune(unit), err == nil
}
