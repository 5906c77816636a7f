package strictjson

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/json"
	"github.com/google/go-cmp/cmp"
)

// plain turns what Parse returned into what go-jose's reader makes of the same text.
func plain(t *testing.T, value string) any {
	t.Helper()
	switch value[0] {
	case '{':
		members, err := Parse(value, nil)
		object := make(map[string]any, len(members))
		for _, member := range members {
			object[member.Name] = plain(t, member.Value)
		}
		if err != nil {
			t.Fatal(err)
		}
		return object
	case '[':
		elements, ok := List(value)
		if !ok {
			t.Fatalf("no list: %s", value)
		}
		list := make([]any, 0, len(elements))
		for _, element := range elements {
			list = append(list, plain(t, element))
		}
		return list
	case '"':
		text, ok := Text(value)
		if !ok {
			t.Fatalf("no string: %s", value)
		}
		return text
	case 't', 'f':
		return value == "true"
	case 'n':
		return nil
	default:
		return json.Number(value)
	}
}

func TestParseObject(t *testing.T) {
	text := " {\"a\":{\"n\":18446744073709551616,\"s\":\"\\\\ud800 \\ud83d\\ude00 \\\" { [ \"}} \n"
	if _, err := Parse(text, nil); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"a": map[string]any{"n": json.Number("18446744073709551616"), "s": "\\ud800 \U0001F600 \" { [ "}}
	if diff := cmp.Diff(want, plain(t, strings.TrimSpace(text))); diff != "" {
		t.Errorf("difference (-want +got):\n%s", diff)
	}
	for name, text := range map[string]string{
		"as deep as may be":         `{"a":` + strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1) + "}",
		"many lists side by side":   `{"a":[` + strings.Repeat("[],", 2*maxDepth) + "[]]}",
		"every kind of number":      `{"a":[0,-0,10,1.5,1e5,1E+5,1.0e-5]}`,
		"every escape":              `{"a":"\"\\\/\b\f\n\r\t\u0041"}`,
		"words":                     `{"a":[true,false,null]}`,
		"white space":               "\t\r\n {\t\r\n \"a\" \t\r\n:\t\r\n [ ] , \"b\" : { } }",
		"a member that was escaped": `{"\u0061":1,"b":2}`,
	} {
		if _, err := Parse(text, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Past a few members, names are looked up in another way.
func TestParseObjectOfManyMembers(t *testing.T) {
	for count := range 40 {
		var text strings.Builder
		for i := range count + 1 {
			text.WriteString(`"` + strings.Repeat("a", i+1) + `":1,`)
		}
		members, err := Parse("{"+strings.TrimSuffix(text.String(), ",")+"}", nil)
		if err != nil || len(members) != count+1 {
			t.Errorf("%d members: %d, %v", count+1, len(members), err)
		}
		for i := range count + 1 {
			if _, err := Parse("{"+text.String()+`"`+strings.Repeat("a", i+1)+`":1}`, nil); err == nil {
				t.Errorf("%d members, number %d twice: accepted", count+1, i)
			}
		}
	}
}

func TestParseObjectRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                      "",
		"null":                         "null",
		"a list":                       "[]",
		"a comma at the end":           `{"a":1,}`,
		"two commas":                   `{"a":1,,"b":1}`,
		"no comma":                     `{"a":1 "b":1}`,
		"a comma in a list":            `{"a":[1,]}`,
		"no colon":                     `{"a" 1}`,
		"no value":                     `{"a":}`,
		"a name that is no string":     `{1:1}`,
		"a name that opens late":       `{x":1}`,
		"the wrong bracket":            `{"a":[1}}`,
		"a leading zero":               `{"a":01}`,
		"a plus sign":                  `{"a":+1}`,
		"no digit":                     `{"a":-}`,
		"no digit after the point":     `{"a":1.}`,
		"no digit in the exponent":     `{"a":1e+}`,
		"half a word":                  `{"a":tru}`,
		"a word in another case":       `{"a":True}`,
		"a control character":          "{\"a\":\"\x1f\"}",
		"an unknown escape":            `{"a":"\x41"}`,
		"half an escape":               `{"a":"\u00"}`,
		"no hexadecimal digit":         `{"a":"\u00g0"}`,
		"an open string":               `{"a":"x`,
		"a backslash at the end":       `{"a":"\`,
		"a string":                     `"a"`,
		"a byte order mark":            "\ufeff{}",
		"UTF-16":                       "{\x00}\x00",
		"half an object":               `{"a":1`,
		"two objects":                  "{}{}",
		"text behind":                  "{}x",
		"a duplicate member":           `{"a":1,"a":2}`,
		"a duplicate below":            `{"a":[{"b":{"c":1,"c":1}}]}`,
		"a duplicate, unclosed":        `{"a":{"b":{"c":1,"c":1}}`,
		"a duplicate by escape":        `{"a":1,"\u0061":2}`,
		"invalid UTF-8":                "{\"a\":\"\xff\"}",
		"an overlong encoding":         "{\"a\":\"\xc0\x80\"}",
		"half a pair":                  `{"a":"\ud800"}`,
		"half a pair at the end":       `{"a":"x\uDBFF`,
		"the second half":              `{"a":"\udc00"}`,
		"halves in the wrong order":    `{"a":"\udc00\ud800"}`,
		"half a pair and a letter":     `{"a":"\ud800\u0041"}`,
		"half a pair and no backslash": `{"a":"\ud83dxude00"}`,
		"half a pair and no u":         `{"a":"\ud83d\nde00"}`,
		"half a pair in a name":        `{"\ud800":1}`,
		"half a pair after backslash":  `{"a":"\\\ud800"}`,
		"too deep":                     `{"a":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + "}",
		"too deep, never closed":       strings.Repeat(`{"a":`, 5000),
	} {
		if got, err := Parse(text, nil); err == nil {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// reference reads like Parse, with go-jose's reader and a look at the text before it.
func reference(data []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.SetNumberType(json.UnmarshalJSONNumber)
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, err
	}
	var rest any
	if err := decoder.Decode(&rest); object == nil || !errors.Is(err, io.EOF) {
		return nil, errors.New("not one object")
	}
	return object, nil
}

// FuzzParseObject reads any text. What we accept, go-jose must read as the same object; what we refuse and go-jose
// accepts must be one of the things that we refuse on purpose.
func FuzzParseObject(f *testing.F) {
	for _, text := range []string{
		`{"alg":"ES256","kid":"es","typ":"at+jwt"}`, `{"iss":"https://issuer.example.com","aud":["a","b"],"exp":1800000600,"x":{"y":null}}`,
		`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"RSA","n":"AA","e":"AQAB"}]}`, "{}", "null", "[]", `{"a":1,"a":2}`, `{"a":"\ud800"}`,
		`{"a":[1.5e-7,-0,true,false,null,"\u00e9\ud83d\ude00"]}`, "{\"a\":\"\xff\"}", `{"":{"":[{}]}}`,
		strings.Repeat(`{"a":`, 31) + "{}" + strings.Repeat("}", 31), `{"\u0061":1,"a":2}`, "\ufeff{}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		theirs, theirError := reference([]byte(text))
		_, ourError := Parse(text, nil)
		if ourError != nil {
			if theirError == nil && !strictOnPurpose(text, ourError) {
				t.Fatalf("we refuse %q: %v", text, ourError)
			}
			return
		}
		if theirError != nil {
			t.Fatalf("go-jose refuses %q: %v", text, theirError)
		}
		if diff := cmp.Diff(theirs, plain(t, strings.Trim(text, " \t\r\n"))); diff != "" {
			t.Errorf("%q (-go-jose +ours):\n%s", text, diff)
		}
	})
}

// strictOnPurpose reports whether go-jose may accept what we refuse: it replaces what is no Unicode, and goes deeper.
func strictOnPurpose(text string, err error) bool {
	return !utf8.ValidString(text) || strings.Contains(err.Error(), "half a surrogate pair") ||
		strings.Contains(err.Error(), "nested deeper")
}
