package publication

import (
	"time"

	"github.com/keywright/keywright/controllers/wiring"
)

const (
	// share is the reciprocal of the largest share of the time that checks of one SigningKey take while its ConfigMaps change.
	share = 50
	// longestPace limits how long a change of a ConfigMap waits for the next check.
	longestPace = time.Second
)

// Checked records how long a check of all targets of a SigningKey took.
func (t *Tracker) Checked(name string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.byName[name]; p != nil {
		p.checkTook = took
	}
}

// pace returns how long changes of ConfigMaps are collected before all targets of a SigningKey are checked again. A
// check reads every target, so that checks at a fixed interval would take time that grows with their number.
func (t *Tracker) pace(name string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.byName[name]
	if p == nil {
		return wiring.Debounce
	}
	return min(max(wiring.Debounce, share*p.checkTook), longestPace)
}
