package login

import (
	"runtime"
	"sync"
	"time"
)

// calmFor is how long no password must be hashed before the scheduler has no more threads than cores again.
const calmFor = time.Second

// threads gives the Go scheduler a thread more for each slot while passwords are hashed. Then a hash never keeps a request
// from running: the kernel decides between their threads, and knows their priorities. At other times more threads than
// cores would only wake each other up.
type threads struct {
	slots int
	// add gives the scheduler more threads, or takes some away.
	add func(threads int)

	mu     sync.Mutex
	busy   int
	raised bool
	calm   *time.Timer
}

func addThreads(threads int) { runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + threads) }

func (t *threads) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy++; t.calm != nil {
		t.calm.Stop()
	}
	if !t.raised {
		t.add(t.slots)
		t.raised = true
	}
}

func (t *threads) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy--; t.busy == 0 {
		t.calm = time.AfterFunc(calmFor, t.lower)
	}
}

func (t *threads) lower() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy == 0 && t.raised {
		t.add(-t.slots)
		t.raised = false
	}
}
