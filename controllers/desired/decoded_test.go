package desired

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// Equal texts are decoded once, by any number of callers, and others of a foreign client do not fill the memory.
func TestEqualRecordsAreDecodedOnce(t *testing.T) {
	var d decoded
	calls := 0
	decode := func(text string) map[string]Record {
		calls++
		return decodeRecords(text)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if got := d.of(`{"main":{"generation":7}}`, decode)["main"].Generation; got != 7 {
					t.Errorf("generation %d", got)
				}
			}
		})
	}
	all.Wait()
	if calls != 1 {
		t.Errorf("decoded %d times", calls)
	}
	for i := range 10 * maxDecoded {
		if got := d.of(fmt.Sprintf(`{"main":{"generation":%d}}`, i), decode)["main"].Generation; got != int64(i) {
			t.Errorf("generation %d of %d", got, i)
		}
		if len(d.known) > maxDecoded {
			t.Fatalf("%d texts are kept", len(d.known))
		}
	}
	kept := len(d.known)
	if d.of(strings.Repeat(" ", longestDecoded+1), decode); len(d.known) != kept {
		t.Error("a long text is kept")
	}
	if got := d.of("{", decode); got == nil || len(got) != 0 {
		t.Errorf("invalid records are %v", got)
	}
}
