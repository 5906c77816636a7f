package jwtverify

import (
	"strconv"
	"testing"
	"time"
)

func TestReplays(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := NewReplays()
	if !r.First("a", "1", now.Add(time.Minute), now) {
		t.Error("the first use")
	}
	if r.First("a", "1", now.Add(time.Minute), now.Add(time.Minute)) {
		t.Error("the second, within the clock skew")
	}
	if r.First("a", "1", now.Add(time.Hour), now) {
		t.Error("the same ID in another JWT")
	}
	if !r.First("b", "1", now.Add(time.Minute), now) || !r.First("a", "2", now.Add(time.Hour), now) {
		t.Error("the ID of another client, or another ID")
	}
	if later := now.Add(3 * time.Minute); !r.First("a", "1", later, later) || r.n != 2 {
		t.Errorf("%d are remembered when two have expired", r.n)
	}
}

// The memory is bounded: what expires first is forgotten, and what was used just now is not.
func TestReplaysAreBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := NewReplays()
	for i := range 3 * maxReplays {
		expiry := now.Add(time.Duration(i%60) * time.Minute)
		if !r.First("a", strconv.Itoa(i), expiry, now) {
			t.Fatal(i)
		}
		if r.n > maxReplays {
			t.Fatalf("%d are remembered", r.n)
		}
	}
	if r.First("a", strconv.Itoa(3*maxReplays-1), now.Add(time.Hour), now) {
		t.Error("the last one is forgotten")
	}
}
