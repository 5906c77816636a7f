package claimmapping

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"google.golang.org/protobuf/types/known/structpb"
)

// claimAdapter converts claims to CEL values. A number without fraction and exponent becomes an int or a uint with
// all its digits. A larger one, and an expression that uses it, has no value.
type claimAdapter struct{}

// NativeToValue implements types.Adapter.
func (v claimAdapter) NativeToValue(value any) ref.Val {
	switch of := value.(type) {
	case json.Number:
		return number(string(of))
	case map[string]any:
		return types.NewStringInterfaceMap(v, of)
	case []any:
		return types.NewDynamicList(v, of)
	}
	return types.DefaultTypeAdapter.NativeToValue(value)
}

func number(text string) ref.Val {
	if strings.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return types.NewErr("a number that is too large")
		}
		return types.Double(f)
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return types.Int(i)
	}
	if u, err := strconv.ParseUint(text, 10, 64); err == nil {
		return types.Uint(u)
	}
	return types.NewErr("a number that is too large")
}

// toJSON converts a CEL value to the Go value that encoding/json decodes with json.Number.
func toJSON(value ref.Val) (any, error) {
	switch v := value.(type) {
	case types.Int:
		return json.Number(strconv.FormatInt(int64(v), 10)), nil
	case types.Uint:
		return json.Number(strconv.FormatUint(uint64(v), 10)), nil
	case types.Double:
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("%v is not a JSON number", f)
		}
		return float64(v), nil
	case types.Null:
		return nil, nil
	case types.Bool:
		return bool(v), nil
	case types.String:
		return string(v), nil
	case traits.Mapper:
		return mapToJSON(v)
	case traits.Lister:
		return listToJSON(v)
	}
	native, err := value.ConvertToNative(reflect.TypeFor[*structpb.Value]()) // bytes, timestamps and durations become strings
	if err != nil {
		return nil, err
	}
	of, ok := native.(*structpb.Value)
	if !ok {
		return nil, fmt.Errorf("a %s cannot be encoded as JSON", value.Type())
	}
	return of.AsInterface(), nil
}

func mapToJSON(m traits.Mapper) (any, error) {
	members := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, fmt.Errorf("a %s cannot be the name of a JSON member", key.Type())
		}
		value, err := toJSON(m.Get(key))
		if err != nil {
			return nil, err
		}
		members[string(name)] = value
	}
	return members, nil
}

func listToJSON(l traits.Lister) (any, error) {
	elements := []any{}
	for it := l.Iterator(); it.HasNext() == types.True; {
		value, err := toJSON(it.Next())
		if err != nil {
			return nil, err
		}
		elements = append(elements, value)
	}
	return elements, nil
}
