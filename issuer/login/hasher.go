package login

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// waitersPerSlot bounds the logins that wait for one slot: who comes later is told at once.
const waitersPerSlot = 64

// Hasher hashes passwords, a bounded number at a time, since each takes a core and tens of MiB, and on threads of low
// priority, so that other requests are not held up.
type Hasher struct {
	slots   *semaphore.Weighted
	memory  *semaphore.Weighted
	budget  int64
	bound   int64
	waiting atomic.Int64
	wait    time.Duration
	threads threads
}

// NewHasher lets at most slots passwords be hashed at a time, as long as they take at most budget bytes together.
func NewHasher(slots int, budget int64) *Hasher {
	slots = max(slots, 1)
	return &Hasher{
		slots: semaphore.NewWeighted(int64(slots)), memory: semaphore.NewWeighted(budget), budget: budget,
		bound: int64(slots) * waitersPerSlot, wait: waitForSlot, threads: threads{slots: slots, add: addThreads},
	}
}

// Slots is how many passwords a machine should hash at a time: one a core, and no more than half the memory limit holds.
// limit is in bytes, 0 for none. Go's collector lets a hash take its memory twice.
func Slots(cores int, limit int64) (slots int, budget int64) {
	if limit <= 0 || limit > 1<<40 {
		return cores, 1 << 40
	}
	budget = limit / 2
	return max(1, min(cores, int(budget/(2*standard().memoryBytes())))), budget
}

// matches tells whether a password is the hashed one. ErrBusy is that it did not get its turn.
func (h *Hasher) matches(ctx context.Context, hash Hash, password string) (bool, error) {
	if h.waiting.Add(1) > h.bound {
		h.waiting.Add(-1)
		return false, ErrBusy
	}
	release, err := h.acquire(ctx, hash)
	h.waiting.Add(-1)
	if err != nil {
		return false, err
	}
	h.threads.begin()
	result := make(chan bool, 1)
	go func() {
		defer release()
		defer h.threads.end()
		// The goroutine ends without unlocking, and its thread with it: no other work runs at this priority.
		runtime.LockOSThread()
		lowerPriority()
		result <- hash.matches(password)
	}()
	select {
	case matches := <-result:
		return matches, nil
	case <-ctx.Done():
		return false, ErrBusy
	}
}

func (h *Hasher) acquire(ctx context.Context, hash Hash) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, h.wait)
	defer cancel()
	if h.slots.Acquire(ctx, 1) != nil {
		return nil, ErrBusy
	}
	bytes := min(2*hash.memoryBytes(), h.budget)
	if h.memory.Acquire(ctx, bytes) != nil {
		h.slots.Release(1)
		return nil, ErrBusy
	}
	return func() { h.memory.Release(bytes); h.slots.Release(1) }, nil
}
