package postgres

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// elementType returns the element type of an array type, 0 for other types.
func elementType(oid uint32) uint32 {
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
	// number is the number of RFC 8259 section 6. NaN and Infinity of PostgreSQL remain strings.
	number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
	// timestamp is a time in the date style ISO and the time zone UTC.
	timestamp = regexp.MustCompile(`^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(\+00)?$`)
)

// parseValue converts a value in text format to what encoding/json decodes with json.Number. A time becomes RFC 3339,
// and types that JSON does not have become strings. The error does not quote the value.
func parseValue(oid uint32, text []byte) (any, error) {
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
		if parts := timestamp.FindSubmatch(text); parts != nil {
			zone := ""
			if len(parts[3]) > 0 {
				zone = "Z"
			}
			return string(parts[1]) + "T" + string(parts[2]) + zone, nil
		}
	default:
		if element := elementType(oid); element != 0 {
			return parseArray(element, text)
		}
	}
	return string(text), nil
}

func fromJSON(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil { // PostgreSQL allows an escaped NUL in json
		return nil, fmt.Errorf("is not JSON")
	}
	return v, nil
}

// parseArray parses a one-dimensional array.
func parseArray(element uint32, text []byte) ([]any, error) {
	var array pgtype.Array[pgtype.Text]
	if err := pgtype.NewMap().Scan(pgtype.TextArrayOID, pgtype.TextFormatCode, text, &array); err != nil {
		return nil, fmt.Errorf("is an array that cannot be parsed: use to_json")
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
		if values[i], err = parseValue(element, []byte(e.String)); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// toStrings returns the non-null elements of an array.
func toStrings(of []any) []string {
	out := []string{}
	for _, element := range of {
		if text, ok := element.(string); ok {
			out = append(out, strings.TrimSpace(text))
		}
	}
	return out
}
