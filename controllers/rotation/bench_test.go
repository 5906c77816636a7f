package rotation_test

import (
	"fmt"
	"testing"

	"github.com/keywright/keywright/controllers/rotation"
)

// BenchmarkPlan plans for a keyring of ten keys in which nothing is to be done.
func BenchmarkPlan(b *testing.B) {
	s := newShell(b)
	s.settle()
	for i := range 8 {
		s.ring.Keys = append(s.ring.Keys, rotation.Key{ID: fmt.Sprintf("r%d", i), State: rotation.Retired, MaxLifetime: s.policy.MaxLifetime})
	}
	s.write()
	b.ReportAllocs()
	for b.Loop() {
		if d := s.plan(); len(d.Moves) > 0 {
			b.Fatal(d.Moves)
		}
	}
}
