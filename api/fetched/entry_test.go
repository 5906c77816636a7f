package fetched_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/api/fetched"
	"github.com/keywright/keywright/api/jwks"
)

// What the fetcher writes is what the controller reads, equal entries are equal bytes, and what strangers say is bounded.
func TestEntry(t *testing.T) {
	at := time.Date(2026, 11, 27, 1, 2, 3, 0, time.UTC)
	e := fetched.Entry{
		UID: "u", Source: "s", Revision: 7, KeySet: []byte(`{"keys":[]}`), FirstSeen: map[string]time.Time{"a": at, "b": at},
		LeftOut: []jwks.LeftOut{{Position: 1, KeyID: "k", Reason: "r", Ordinary: true}}, FetchedAt: at, Failure: "f", FailedSince: at,
	}
	text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"uid":"u","source":"s","revision":7,"keySet":{"keys":[]},"firstSeen":{"a":"2026-11-27T01:02:03Z","b":"2026-11-27T01:02:03Z"},` +
		`"leftOut":[{"position":1,"keyID":"k","reason":"r","ordinary":true}],"fetchedAt":"2026-11-27T01:02:03Z","failure":"f","failedSince":"2026-11-27T01:02:03Z"}`
	if text != want {
		t.Errorf("an entry is\n%s\nwant\n%s", text, want)
	}
	if read, err := fetched.Decode(text); err != nil || !reflect.DeepEqual(read, e) {
		t.Errorf("read %+v, %v", read, err)
	}
	for _, bad := range []string{"", "[]", "{", `{"uid":5}`} {
		if read, err := fetched.Decode(bad); err == nil {
			t.Errorf("%s is read as %+v", bad, read)
		}
	}
	long := fetched.Entry{Failure: strings.Repeat("x", 5000), LeftOut: make([]jwks.LeftOut, 100)}
	if text, err = long.Encode(); err != nil {
		t.Fatal(err)
	}
	if read, err := fetched.Decode(text); err != nil || len(read.Failure) != 512 || len(read.LeftOut) != fetched.MostLeftOut {
		t.Errorf("%d bytes of failure, %d keys left out, %v", len(read.Failure), len(read.LeftOut), err)
	}
}
