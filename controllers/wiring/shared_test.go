package wiring

import (
	"fmt"
	"strings"
	"testing"
)

// Equal values share memory, and their number is limited.
func TestShared(t *testing.T) {
	var s Shared[*int]
	one, another := new(int), new(int)
	if s.One("a", one) != one || s.One("a", another) != one || s.One("b", another) != another {
		t.Error("equal texts do not have one value, or others have")
	}
	for n := range 3 * maxShared {
		s.One(fmt.Sprint(n), one)
	}
	if len(s.known) > maxShared {
		t.Errorf("%d values are remembered", len(s.known))
	}
	long := strings.Repeat("x", longestShared+1)
	if s.One(long, one) != one || s.One(long, another) != another {
		t.Error("a long text is remembered")
	}
}
