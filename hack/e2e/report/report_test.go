package report

import (
	"maps"
	"testing"
	"time"
)

func TestKeySetLogsAddedAndRemovedKeys(t *testing.T) {
	at := func(second int64) time.Time { return time.Unix(second, 0) }
	var k KeySet
	k.Look([]byte(`{"keys":[{"kid":"a"}]}`), at(1))
	k.Look([]byte(`{"keys":[{"kid":"a"},{"kid":"b"}]}`), at(2))
	k.Look([]byte(`half a fi`), at(3))
	k.Look([]byte(`{"keys":[{"kid":"b"}]}`), at(4))
	want := Seen{"+a": 1000, "+b": 2000, "-a": 4000}
	if got := k.Seen(); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestQuantiles(t *testing.T) {
	l := NewLatencies()
	for i := range 100 {
		l.Add("login", time.Duration(i)*time.Millisecond)
	}
	want := Quantiles{Count: 100, P50: 50 * time.Millisecond, P99: 99 * time.Millisecond, Max: 99 * time.Millisecond}
	if got := l.Quantiles()["login"]; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
