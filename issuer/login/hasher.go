package login

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// waitersPerSlot bounds the logins that wait for one slot: who comes later is told at once.
const waitersPerSlot = 64

// Hasher hashes passwords, a bounded number at a time, since each takes a core and tens of MiB, and in processes of a low
// priority, so that other requests are not held up.
type Hasher struct {
	slots   *semaphore.Weighted
	memory  *semaphore.Weighted
	budget  int64
	bound   int64
	waiting atomic.Int64
	wait    time.Duration

	mu sync.Mutex
	// idle are the workers that do nothing. Some may have ended since.
	idle []*worker
}

// NewHasher lets at most slots passwords be hashed at a time, as long as they take at most budget bytes together. Each is
// hashed by a process of the running binary with the one argument WorkerCommand, which must call Work.
func NewHasher(slots int, budget int64) *Hasher {
	slots = max(slots, 1)
	return &Hasher{
		slots: semaphore.NewWeighted(int64(slots)), memory: semaphore.NewWeighted(budget), budget: budget,
		bound: int64(slots) * waitersPerSlot, wait: waitForSlot,
	}
}

// Slots is how many passwords a machine should hash at a time: one a core, and no more than half the memory limit holds.
// limit is in bytes, 0 for none.
func Slots(cores int, limit int64) (slots int, budget int64) {
	if limit <= 0 || limit > 1<<40 {
		return cores, 1 << 40
	}
	budget = limit / 2
	return max(1, min(cores, int(budget/standard().workerBytes()))), budget
}

// matches reports whether a password is the hashed one. ErrBusy is that it did not get its turn.
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
		matches, err := h.ask(hash, password)
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

// ask asks a worker: one that is idle, or a new one where none of these lives. ErrDown is that there is none.
func (h *Hasher) ask(hash Hash, password string) (bool, error) {
	for w := h.take(); w != nil; w = h.take() {
		if matches, err := w.ask(hash, password); err == nil {
			h.put(w)
			return matches, nil
		}
		w.close()
	}
	w, err := startWorker()
	if err != nil {
		return false, fmt.Errorf("%w: start a hash worker: %w", ErrDown, err)
	}
	matches, err := w.ask(hash, password)
	if err != nil {
		w.close()
		return false, fmt.Errorf("%w: a hash worker fails: %w", ErrDown, err)
	}
	h.put(w)
	return matches, nil
}

// take returns the worker that became idle last, so that others can end, or nil.
func (h *Hasher) take() *worker {
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

func (h *Hasher) put(w *worker) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w.expiry = time.AfterFunc(idleFor, w.close)
	h.idle = append(h.idle, w)
}
