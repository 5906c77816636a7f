package verifier

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/verifier/internal/strictjson"
)

// inner is embedded.
type inner struct {
	Team  string `json:"team"`
	Level int    `json:"level"`
}

// Loop embeds itself, which encoding/json can read.
type Loop struct {
	*Loop
	Name string `json:"name"`
}

// What encoding/json decodes is decoded, but that names match exactly at every depth, and numbers keep their digits.
func TestDecodeExactly(t *testing.T) {
	type nested struct {
		A string `json:"a"`
	}
	for name, row := range map[string]struct {
		text string
		into any // a pointer
		want any
	}{
		"a struct":           {`{"team":"x","level":3}`, &inner{}, &inner{"x", 3}},
		"another case":       {`{"Team":"x","LEVEL":3}`, &inner{}, &inner{}},
		"both cases":         {`{"team":"x","Team":"y"}`, &inner{}, &inner{Team: "x"}},
		"both cases, turned": {`{"Team":"y","team":"x"}`, &inner{}, &inner{Team: "x"}},
		"the Kelvin sign": {`{"to` + "\u212a" + `en":"x"}`, &struct {
			Token string `json:"token"`
		}{}, &struct {
			Token string `json:"token"`
		}{}},
		"another case below": {`{"n":{"A":"x"}}`, &struct {
			N nested `json:"n"`
		}{}, &struct {
			N nested `json:"n"`
		}{}},
		"another case in a list": {`{"n":[{"A":"x"},{"a":"y"}]}`, &struct {
			N []nested `json:"n"`
		}{}, &struct {
			N []nested `json:"n"`
		}{[]nested{{}, {"y"}}}},
		"another case in an array": {`{"n":[{"A":"x"}]}`, &struct {
			N [1]nested `json:"n"`
		}{}, &struct {
			N [1]nested `json:"n"`
		}{}},
		"another case in a map": {`{"n":{"X":{"A":"x"},"Y":{"a":"y"}}}`, &struct {
			N map[string]nested `json:"n"`
		}{}, &struct {
			N map[string]nested `json:"n"`
		}{map[string]nested{"X": {}, "Y": {"y"}}}},
		"another case behind pointers": {`{"n":{"A":"x"}}`, &struct {
			N **nested `json:"n"`
		}{}, &struct {
			N **nested `json:"n"`
		}{pointer(pointer(nested{}))}},
		"an embedded struct":  {`{"team":"x","Level":3}`, &struct{ inner }{}, &struct{ inner }{inner{Team: "x"}}},
		"an embedded pointer": {`{"name":"x","Name":"y"}`, &Loop{}, &Loop{Name: "x"}},
		"a hidden field": {`{"team":"x"}`, &struct {
			inner
			Team int `json:"x"`
		}{}, &struct {
			inner
			Team int `json:"x"`
		}{inner: inner{Team: "x"}}},
		"a field without a tag": {`{"Plain":"x","plain":"y"}`, &struct{ Plain string }{}, &struct{ Plain string }{"x"}},
		"an option without a name": {`{"Plain":"x"}`, &struct {
			Plain string `json:",omitempty"`
		}{}, &struct {
			Plain string `json:",omitempty"`
		}{"x"}},
		"a field that is left out": {`{"Plain":"x","-":"y"}`, &struct {
			Plain string `json:"-"`
		}{}, &struct {
			Plain string `json:"-"`
		}{}},
		"an unexported field": {`{"plain":"x"}`, &struct{ plain string }{}, &struct{ plain string }{}},
		"a number": {`{"n":18446744073709551616}`, &struct {
			N json.Number `json:"n"`
		}{}, &struct {
			N json.Number `json:"n"`
		}{"18446744073709551616"}},
		"a number in an any": {`{"n":12345678901234567890}`, &map[string]any{}, &map[string]any{"n": json.Number("12345678901234567890")}},
		"a number far below": {`{"n":[{"a":0.10}]}`, &struct {
			N any `json:"n"`
		}{}, &struct {
			N any `json:"n"`
		}{[]any{map[string]any{"a": json.Number("0.10")}}}},
		"a large integer": {`{"n":9223372036854775807}`, &struct {
			N int64 `json:"n"`
		}{}, &struct {
			N int64 `json:"n"`
		}{math.MaxInt64}},
		"integer keys":       {`{"7":"a","-1":"b"}`, &map[int]string{}, &map[int]string{7: "a", -1: "b"}},
		"keys in every case": {`{"a":1,"A":2}`, &map[string]int{}, &map[string]int{"a": 1, "A": 2}},
		"a time": {`{"at":"2026-11-26T12:00:00Z"}`, &struct {
			At time.Time `json:"at"`
		}{}, &struct {
			At time.Time `json:"at"`
		}{time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)}},
		"raw": {`{"r":{"A":1}}`, &struct {
			R json.RawMessage `json:"r"`
		}{}, &struct {
			R json.RawMessage `json:"r"`
		}{json.RawMessage(`{"A":1}`)}},
		"null": {`{"n":null}`, &struct {
			N *nested `json:"n"`
		}{}, &struct {
			N *nested `json:"n"`
		}{}},
		"nothing that fits": {` {"x":1} `, &inner{}, &inner{}},
		"an escaped name":   {`{"t\u0065am":"\u00fc\n\"<"}`, &inner{}, &inner{Team: "ü\n\"<"}},
		"white space": {" { \"n\" : [ { \"a\" : \"x\" } , { } ] } ", &struct {
			N []nested `json:"n"`
		}{}, &struct {
			N []nested `json:"n"`
		}{[]nested{{"x"}, {}}}},
	} {
		err := decodeExactly(row.text, row.into)
		if err != nil || !reflect.DeepEqual(row.into, row.want) {
			t.Errorf("%s: %v, got %+v, want %+v", name, err, row.into, row.want)
		}
	}
	for name, row := range map[string]struct {
		text string
		into any
	}{
		"a text into a number": {`{"level":"3"}`, &inner{}},
		"an object into a list": {`{"n":{}}`, &struct {
			N []int `json:"n"`
		}{}},
		"a list into an object": {`{"n":[]}`, &struct {
			N inner `json:"n"`
		}{}},
		"a fraction into an int": {`{"level":0.5}`, &inner{}},
		"no pointer":             {`{}`, inner{}},
		"nil":                    {`{}`, nil},
		"a nil pointer":          {`{}`, (*inner)(nil)},
	} {
		if err := decodeExactly(row.text, row.into); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func pointer[T any](value T) *T { return &value }

// Payload is a copy of what was signed, byte for byte.
func TestPayload(t *testing.T) {
	v := newVerifier(t, testConfig(t))
	claims := replaced(t, goodClaims, `"jti"`, ` "n" : 1.50 , "jti"`)
	token := esKey().sign(goodHeader, claims)
	for range 2 {
		verified := must(v.Verify(t.Context(), token))
		if diff := cmp.Diff(claims, string(verified.Payload())); diff != "" {
			t.Errorf("difference (-want +got):\n%s", diff)
		}
		clear(verified.Payload())
		if !strings.Contains(string(verified.Payload()), "1.50") {
			t.Error("the payload was written to")
		}
	}
}

// FuzzDecodeExactly compares with encoding/json: where no two names differ in case alone, both decode the same.
func FuzzDecodeExactly(f *testing.F) {
	f.Add(`{"team":"x","level":1,"n":[{"team":"y"}],"m":{"a":{"level":2}},"any":{"x":[1.0]}}`)
	f.Add(`{"Team":1,"n":{},"m":[]}`)
	f.Add("{\"tea\\u006d\":\"\\ud83d\\ude00\",\"any\":\"\u2028<\"}")
	type all struct {
		inner
		N   []inner          `json:"n"`
		M   map[string]inner `json:"m"`
		Any any              `json:"any"`
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := strictjson.Parse(text, nil); err != nil || strings.ToLower(text) != text {
			return
		}
		var ours, theirs all
		ourError := decodeExactly(text, &ours)
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		theirError := decoder.Decode(&theirs)
		if (ourError == nil) != (theirError == nil) {
			t.Fatalf("%q: ours %v, encoding/json %v", text, ourError, theirError)
		}
		if diff := cmp.Diff(theirs, ours, cmp.AllowUnexported(all{}, inner{})); ourError == nil && diff != "" {
			t.Errorf("%q (-encoding/json +ours):\n%s", text, diff)
		}
	})
}
