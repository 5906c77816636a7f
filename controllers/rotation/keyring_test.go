package rotation_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/keywright/keywright/controllers/rotation"
)

// A keyring that differs in any field is another one: else a change of it would never be written.
func TestEqualSeesEveryField(t *testing.T) {
	full := func() rotation.Keyring {
		var r rotation.Keyring
		fill(reflect.ValueOf(&r).Elem(), 1)
		return r
	}
	if !full().Equal(full()) {
		t.Fatal("equal keyrings differ")
	}
	var visit func(path string, v reflect.Value, check func(path string))
	changed := 0
	visit = func(path string, v reflect.Value, check func(string)) {
		switch _, isTime := v.Interface().(time.Time); {
		case v.Kind() == reflect.Struct && !isTime:
			for i := range v.NumField() {
				visit(path+"."+v.Type().Field(i).Name, v.Field(i), check)
			}
		case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
			visit(path+"[0]", v.Index(0), check)
		default:
			before := reflect.New(v.Type()).Elem()
			before.Set(v)
			fill(v, 2)
			check(path)
			v.Set(before)
			changed++
		}
	}
	r := full()
	visit("Keyring", reflect.ValueOf(&r).Elem(), func(path string) {
		if r.Equal(full()) {
			t.Errorf("a change of %s is not seen", path)
		}
	})
	if changed < 30 {
		t.Errorf("only %d fields were tried", changed)
	}
}

// fill sets every field of v to something that depends on n.
func fill(v reflect.Value, n int) {
	switch x := v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(int64(n), 0)))
		return
	default:
		_ = x
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte{byte(n)})
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), n)
	case reflect.String:
		v.SetString(string(rune('a' + n)))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(n))
	case reflect.Bool:
		v.SetBool(n%2 == 1)
	default:
		panic("a field of kind " + v.Kind().String() + " has no value here")
	}
}
