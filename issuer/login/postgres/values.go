package postgres

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// elementOf returns the type of the elements of an array, 0 for another type.
func elementOf(oid uint32) uint32 {
	known, ok := pgtype.NewMap().TypeForOID(oid)
	if !ok {
		return 0
	}
	array, ok := known.Codec.(*pgtype.ArrayCodec)
	if !ok {
		return 0
	}
	return array.ElementType.OID
}

var (
	// number is RFC 8259 section 6. PostgreSQL also has NaN and Infinity, which stay texts.
	number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
	// moment is a time in the date style ISO and the time zone UTC.
	moment = regexp.MustCompile(`^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(\+00)?$`)
)

// value turns what the server writes of a value into what encoding/json would read with every number as a json.Number: a number keeps all its
// digits. A time is RFC 3339; what JSON has no type for is a text. The error quotes no value.
func value(oid uint32, text []byte) (any, error) {
	switch oid {
	case pgtype.BoolOID:
		return string(text) == "t", nil
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID, pgtype.NumericOID, pgtype.Float4OID, pgtype.Float8OID:
		if number.Match(text) {
			return json.Number(text), nil
		}
	case pgtype.JSONOID, pgtype.JSONBOID:
		return fromJSON(text)
	case pgtype.TimestamptzOID, pgtype.TimestampOID:
		if parts := moment.FindSubmatch(text); parts != nil {
			zone := ""
			if len(parts[3]) > 0 {
				zone = "Z"
			}
			return string(parts[1]) + "T" + string(parts[2]) + zone, nil
		}
	default:
		if element := elementOf(oid); element != 0 {
			return list(element, text)
		}
	}
	return string(text), nil
}

func fromJSON(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil { // a NUL that JSON writes as an escape is nothing that PostgreSQL refuses in json
		return nil, fmt.Errorf("is no JSON")
	}
	return v, nil
}

// list reads an array of one dimension.
func list(element uint32, text []byte) ([]any, error) {
	var array pgtype.Array[pgtype.Text]
	if err := pgtype.NewMap().Scan(pgtype.TextArrayOID, pgtype.TextFormatCode, text, &array); err != nil {
		return nil, fmt.Errorf("is an array that cannot be read")
	}
	if len(array.Dims) > 1 {
		return nil, fmt.Errorf("is an array of %d dimensions: use to_json", len(array.Dims))
	}
	values := make([]any, len(array.Elements))
	for i, e := range array.Elements {
		if !e.Valid {
			continue
		}
		var err error
		if values[i], err = value(element, []byte(e.String)); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// texts are the elements of an array that are there.
func texts(of []any) []string {
	out := []string{}
	for _, element := range of {
		if text, ok := element.(string); ok {
			out = append(out, strings.TrimSpace(text))
		}
	}
	return out
}
