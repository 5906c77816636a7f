package login

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// waitersPerSlot is the maximum number of logins that wait per slot. Further ones get ErrBusy.
const waitersPerSlot = 64

// Hasher hashes passwords in worker processes of low priority, so that other requests are not delayed. It limits
// their number and their memory.
type Hasher struct {
	slots   *semaphore.Weighted
	memory  *semaphore.Weighted
	budget  int64
	bound   int64
	waiting atomic.Int64
	wait    time.Duration

	mu sync.Mutex
	// idle are the idle workers. Some may have terminated.
	idle []*worker
}

// NewHasher returns a Hasher with at most this number of slots and budget in bytes. The workers run the current
// binary with the single argument WorkerCommand, which must call Work.
func NewHasher(slots int, budget int64) *Hasher {
	slots = max(slots, 1)
	return &Hasher{
		slots: semaphore.NewWeighted(int64(slots)), memory: semaphore.NewWeighted(budget), budget: budget,
		bound: int64(slots) * waitersPerSlot, wait: waitForSlot,
	}
}

// Slots returns the number of slots for a machine: one per core, in at most half the memory limit. limit is in bytes,
// 0 for none.
func Slots(cores int, limit int64) (slots int, budget int64) {
	if limit <= 0 || limit > 1<<40 {
		return cores, 1 << 40
	}
	budget = limit / 2
	return max(1, min(cores, int(budget/defaultHash().workerBytes()))), budget
}

// matches reports whether the password matches the hash. It returns ErrBusy if no slot becomes free in time.
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
	type outcome struct {
		matches bool
		err     error
	}
	result := make(chan outcome, 1)
	go func() {
		defer release()
		matches, err := h.verify(hash, password)
		result <- outcome{matches, err}
	}()
	select {
	case o := <-result:
		return o.matches, o.err
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
	bytes := min(hash.workerBytes(), h.budget)
	if h.memory.Acquire(ctx, bytes) != nil {
		h.slots.Release(1)
		return nil, ErrBusy
	}
	return func() { h.memory.Release(bytes); h.slots.Release(1) }, nil
}

// verify sends a request to an idle worker, or to a new one. It returns ErrDown if no worker can be started.
func (h *Hasher) verify(hash Hash, password string) (bool, error) {
	for w := h.popIdle(); w != nil; w = h.popIdle() {
		if matches, err := w.verify(hash, password); err == nil {
			h.pushIdle(w)
			return matches, nil
		}
		w.close()
	}
	w, err := startWorker()
	if err != nil {
		return false, fmt.Errorf("%w: start a hash worker: %w", ErrDown, err)
	}
	matches, err := w.verify(hash, password)
	if err != nil {
		w.close()
		return false, fmt.Errorf("%w: a hash worker failed: %w", ErrDown, err)
	}
	h.pushIdle(w)
	return matches, nil
}

// popIdle returns the worker that became idle last, so that others reach their timeout, or nil.
func (h *Hasher) popIdle() *worker {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.idle) == 0 {
		return nil
	}
	w := h.idle[len(h.idle)-1]
	h.idle = h.idle[:len(h.idle)-1]
	w.expiry.Stop()
	return w
}

func (h *Hasher) pushIdle(w *worker) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w.expiry = time.AfterFunc(workerIdleTimeout, w.close)
	h.idle = append(h.idle, w)
}
