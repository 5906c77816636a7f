package verifier

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/keywright/keywright/verifier/internal/strictjson"
)

// decodeExactly decodes JSON like encoding/json, except that member names match fields only in their exact case, so
// that no claim can stand in for another. Numbers decoded into an any are json.Number.
func decodeExactly(text string, into any) error {
	var exact strings.Builder
	keepNamed(&exact, text, reflect.TypeOf(into))
	decoder := json.NewDecoder(strings.NewReader(exact.String()))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// keepNamed writes a JSON value without the members of objects for which the struct type has no field.
func keepNamed(out *strings.Builder, value string, into reflect.Type) {
	for into != nil && into.Kind() == reflect.Pointer && !decodesItself(into) {
		into = into.Elem()
	}
	if into == nil || decodesItself(into) || decodesItself(reflect.PointerTo(into)) {
		out.WriteString(value)
		return
	}
	kind := into.Kind()
	switch {
	case kind == reflect.Struct && strings.HasPrefix(strings.TrimLeft(value, " \t\r\n"), "{"):
		fields := map[string]reflect.Type{}
		collectFields(fields, into, nil)
		writeObject(out, value, func(name string) (reflect.Type, bool) {
			field, found := fields[name]
			return field, found
		})
	case kind == reflect.Map && strings.HasPrefix(strings.TrimLeft(value, " \t\r\n"), "{"):
		writeObject(out, value, func(string) (reflect.Type, bool) { return into.Elem(), true })
	case (kind == reflect.Slice || kind == reflect.Array) && strings.HasPrefix(value, "["):
		writeList(out, value, into.Elem())
	default:
		out.WriteString(value)
	}
}

// writeObject writes the members of an object for which typeOf returns a type.
func writeObject(out *strings.Builder, value string, typeOf func(name string) (reflect.Type, bool)) {
	members, _ := strictjson.Parse(value, nil) // the text was parsed before
	separator := "{"
	for _, member := range members {
		into, found := typeOf(member.Name)
		if !found {
			continue
		}
		name, err := json.Marshal(member.Name)
		if err != nil {
			continue // the encoder of a string cannot fail
		}
		out.WriteString(separator)
		out.Write(name)
		out.WriteByte(':')
		keepNamed(out, member.Value, into)
		separator = ","
	}
	if separator == "{" {
		out.WriteByte('{')
	}
	out.WriteByte('}')
}

func writeList(out *strings.Builder, value string, into reflect.Type) {
	elements, _ := strictjson.List(value)
	out.WriteByte('[')
	for i, element := range elements {
		if i > 0 {
			out.WriteByte(',')
		}
		keepNamed(out, element, into)
	}
	out.WriteByte(']')
}

// collectFields collects the JSON names of the fields of a struct and of its embedded structs. An outer field hides
// an inner one. It does not follow a struct that embeds itself.
func collectFields(fields map[string]reflect.Type, of reflect.Type, within []reflect.Type) {
	if slices.Contains(within, of) {
		return
	}
	var embedded []reflect.Type
	for i := range of.NumField() {
		field := of.Field(i)
		tag := field.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		inner := field.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case tag == "-":
		case field.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			embedded = append(embedded, inner)
		case !field.IsExported():
		case name == "":
			fields[field.Name] = field.Type
		default:
			fields[name] = field.Type
		}
	}
	for _, inner := range embedded {
		below := map[string]reflect.Type{}
		collectFields(below, inner, append(within, of))
		for name, typ := range below {
			if _, hidden := fields[name]; !hidden {
				fields[name] = typ
			}
		}
	}
}

// decodesItself reports whether a type implements an unmarshaler that encoding/json calls.
func decodesItself(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[json.Unmarshaler]()) || t.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}
