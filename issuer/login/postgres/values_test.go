package postgres

import (
	"encoding/json"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

// Whatever a server writes, a value is one that JSON has, or an error.
func FuzzValue(f *testing.F) {
	for _, oid := range []uint32{
		pgtype.BoolOID, pgtype.Int8OID, pgtype.NumericOID, pgtype.Float8OID, pgtype.JSONOID, pgtype.TimestamptzOID, pgtype.TimestampOID, pgtype.TextOID,
		pgtype.TextArrayOID, pgtype.Int8ArrayOID, pgtype.JSONArrayOID, pgtype.TimestamptzArrayOID,
	} {
		for _, text := range []string{"t", "-1.5e3", "NaN", `{"a":[1]}`, "2026-01-31 12:00:00.5+00", `{a,NULL,"b\\"c"}`, "{{1},{2}}", "[0:1]={1,2}", ""} {
			f.Add(oid, []byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, oid uint32, text []byte) {
		v, err := parseValue(oid, text)
		if err != nil {
			return
		}
		if _, err := json.Marshal(v); err != nil {
			t.Errorf("%d %q is %v: %v", oid, text, v, err)
		}
	})
}
