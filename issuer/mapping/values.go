package mapping

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

// values is how the claims of a token are CEL values. A number without fraction and exponent is an int or a uint, with all its digits; one
// that is too large for both has no value, and an expression that uses it neither.
type values struct{}

// NativeToValue implements types.Adapter.
func (v values) NativeToValue(value any) ref.Val {
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

// toJSON turns a CEL value into what encoding/json reads with json.Number.
func toJSON(value ref.Val) (any, error) {
	switch v := value.(type) {
	case types.Int:
		return json.Number(strconv.FormatInt(int64(v), 10)), nil
	case types.Uint:
		return json.Number(strconv.FormatUint(uint64(v), 10)), nil
	case types.Double:
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("%v is no number of JSON", f)
		}
		return float64(v), nil
	case types.Null:
		return nil, nil
	case types.Bool:
		return bool(v), nil
	case types.String:
		return string(v), nil
	case traits.Mapper:
		return membersOf(v)
	case traits.Lister:
		return elementsOf(v)
	}
	native, err := value.ConvertToNative(reflect.TypeFor[*structpb.Value]()) // bytes, times and durations are texts
	if err != nil {
		return nil, err
	}
	of, ok := native.(*structpb.Value)
	if !ok {
		return nil, fmt.Errorf("a %s is no JSON", value.Type())
	}
	return of.AsInterface(), nil
}

func membersOf(m traits.Mapper) (any, error) {
	members := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, fmt.Errorf("a %s is no name of JSON", key.Type())
		}
		value, err := toJSON(m.Get(key))
		if err != nil {
			return nil, err
		}
		members[string(name)] = value
	}
	return members, nil
}

func elementsOf(l traits.Lister) (any, error) {
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
