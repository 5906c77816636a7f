package publication

import (
	"testing"
	"time"

	"github.com/keywright/keywright/controllers/wiring"
)

// Checks of many targets are further apart, and never far.
func TestPaceGrowsWithTheDurationOfChecks(t *testing.T) {
	tracker := NewTracker(time.Now)
	tracker.Checked("main", time.Hour)
	if got := tracker.pace("main"); got != wiring.Debounce {
		t.Errorf("an unknown SigningKey waits for %v", got)
	}
	tracker.HeldSince("main", nil)
	for took, want := range map[time.Duration]time.Duration{
		0: wiring.Debounce, time.Millisecond: wiring.Debounce, -time.Hour: wiring.Debounce,
		16 * time.Millisecond: 800 * time.Millisecond, time.Minute: longestPace,
	} {
		tracker.Checked("main", took)
		if got := tracker.pace("main"); got != want {
			t.Errorf("after a check of %v, a change waits for %v, not %v", took, got, want)
		}
	}
	tracker.Forget("main")
	if got := tracker.pace("main"); got != wiring.Debounce {
		t.Errorf("a forgotten SigningKey waits for %v", got)
	}
}
