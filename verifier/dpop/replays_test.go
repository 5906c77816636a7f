package dpop_test

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/verifier/dpop"
)

// proofNumber is one of many proofs.
func proofNumber(n int) *dpop.Proof {
	return &dpop.Proof{Thumbprint: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", ID: strconv.Itoa(n)}
}

func TestReplays(t *testing.T) {
	r := dpop.NewReplays(100)
	later := now.Add(time.Minute)
	proof := func(thumbprint, id string) *dpop.Proof { return &dpop.Proof{Thumbprint: thumbprint, ID: id} }
	for _, step := range []struct {
		name       string
		proof      *dpop.Proof
		until, now time.Time
		want       error
	}{
		{"the first", proof("a", "1"), later, now, nil},
		{"again", proof("a", "1"), later, now, dpop.ErrReplayed},
		{"with a later end", proof("a", "1"), later.Add(time.Hour), now, dpop.ErrReplayed},
		{"another jti", proof("a", "2"), later, now, nil},
		{"another key", proof("b", "1"), later, now, nil},
		{"at its last moment", proof("a", "1"), later, later, dpop.ErrReplayed},
		{"in its last second", proof("a", "2"), later, later.Add(999 * time.Millisecond), dpop.ErrReplayed},
		{"after it", proof("a", "1"), later.Add(time.Minute), later.Add(time.Second), nil},
		{"after it, again", proof("a", "1"), later.Add(time.Minute), later.Add(time.Second), dpop.ErrReplayed},
		{"one that has expired", proof("c", "1"), now.Add(-1), now, nil},
		{"one that has expired, again", proof("c", "1"), now.Add(-1), now, nil},
		{"one that expires now", proof("d", "1"), now, now, nil},
		{"one that expires now, again", proof("d", "1"), now, now, dpop.ErrReplayed},
	} {
		if err := r.Remember(step.proof, step.until, step.now); !errors.Is(err, step.want) {
			t.Errorf("%s: %v, want %v", step.name, err, step.want)
		}
	}
}

// A full memory says so, still knows what it holds, and has room again when that has expired.
func TestReplaysAreBounded(t *testing.T) {
	for _, most := range []int{1, 3, 56, 57, 1000, 1792, 1793} {
		r := dpop.NewReplays(most)
		for n := range most {
			if err := r.Remember(proofNumber(n), now.Add(time.Minute), now); err != nil {
				t.Fatalf("%d of %d: %v", n, most, err)
			}
		}
		if err := r.Remember(proofNumber(most), now.Add(time.Minute), now); !errors.Is(err, dpop.ErrFull) {
			t.Errorf("one more than %d: %v", most, err)
		}
		for n := range most {
			if err := r.Remember(proofNumber(n), now.Add(time.Minute), now); !errors.Is(err, dpop.ErrReplayed) {
				t.Fatalf("%d of %d, again: %v", n, most, err)
			}
		}
		after := now.Add(time.Minute + time.Second)
		for n := range most {
			if err := r.Remember(proofNumber(n), after.Add(time.Minute), after); err != nil {
				t.Fatalf("%d of %d, when all have expired: %v", n, most, err)
			}
		}
	}
	if err := dpop.NewReplays(0).Remember(proofNumber(1), now, now); err != nil {
		t.Errorf("a memory for none: %v", err)
	}
}

// At any time exactly those are held that are not over, whatever was swept, moved and grown meanwhile.
func TestReplaysForgetNothingEarly(t *testing.T) {
	r := dpop.NewReplays(5000)
	ends := map[int]time.Time{}
	at, next := now, 0
	for step := range 300 {
		at = at.Add(time.Duration(step%7) * 300 * time.Millisecond)
		for range 40 {
			until := at.Add(time.Duration(next*7919%60_000) * time.Millisecond)
			if err := r.Remember(proofNumber(next), until, at); err != nil {
				t.Fatalf("%d: %v", next, err)
			}
			ends[next] = until
			next++
		}
		for n, until := range ends {
			if !until.Before(at) {
				if err := r.Remember(proofNumber(n), until, at); !errors.Is(err, dpop.ErrReplayed) {
					t.Fatalf("step %d: %d, until %v, was forgotten: %v", step, n, until.Sub(at), err)
				}
			} else {
				delete(ends, n)
			}
		}
	}
}

// Clocks step back: what is held stays held.
func TestReplaysWithAClockThatStepsBack(t *testing.T) {
	r := dpop.NewReplays(10)
	for n := range 10 {
		if err := r.Remember(proofNumber(n), now.Add(time.Minute), now); err != nil {
			t.Fatal(err)
		}
	}
	before := now.Add(-time.Hour)
	if err := r.Remember(proofNumber(3), now, before); !errors.Is(err, dpop.ErrReplayed) {
		t.Errorf("one that is held: %v", err)
	}
	if err := r.Remember(proofNumber(10), now, before); !errors.Is(err, dpop.ErrFull) {
		t.Errorf("one more: %v", err)
	}
}

// Of many that come with the same proof at once, one is let through.
func TestReplaysAtOnce(t *testing.T) {
	r := dpop.NewReplays(10_000)
	var passed atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for n := range 1000 {
				if r.Remember(proofNumber(n), now.Add(time.Minute), now) == nil {
					passed.Add(1)
				}
			}
		})
	}
	group.Wait()
	if passed.Load() != 1000 {
		t.Errorf("of 1000 proofs %d were let through", passed.Load())
	}
}

// 100,000 proofs a minute, each remembered for two minutes, for ten minutes.
func TestReplaysAreSmall(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	r := dpop.NewReplays(229_376)
	var largest uint64
	n := 0
	for minute := range 10 {
		for i := range 100_000 {
			at := now.Add(time.Duration(minute)*time.Minute + time.Duration(i)*600*time.Microsecond)
			if err := r.Remember(proofNumber(n), at.Add(2*time.Minute), at); err != nil {
				t.Fatalf("minute %d, proof %d: %v", minute, i, err)
			}
			n++
		}
		largest = max(largest, heap()-before)
	}
	t.Logf("%.2f MB", float64(largest)/1e6)
	if largest > 6_000_000 {
		t.Errorf("it takes %d bytes", largest)
	}
	runtime.KeepAlive(r)
}

func BenchmarkRemember(b *testing.B) {
	r := dpop.NewReplays(229_376)
	at := now
	proofs := make([]*dpop.Proof, 1<<16)
	for i := range proofs {
		proofs[i] = &dpop.Proof{Thumbprint: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", ID: fmt.Sprintf("%08d", i)}
	}
	b.ReportAllocs()
	for n := range b.N {
		at = at.Add(600 * time.Microsecond)
		_ = r.Remember(proofs[n%len(proofs)], at.Add(30*time.Second), at)
	}
}
