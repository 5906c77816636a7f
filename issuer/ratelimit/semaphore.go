package ratelimit

import "sync"

// Semaphore limits concurrency, in total and per key, such as a network.
type Semaphore[K comparable] struct {
	total, each int

	mu    sync.Mutex
	taken int
	by    map[K]int
}

// NewSemaphore returns a Semaphore with a total limit and a limit per key.
func NewSemaphore[K comparable](total, each int) *Semaphore[K] {
	return &Semaphore[K]{total: total, each: each, by: map[K]int{}}
}

// Acquire returns a function that the caller must call once to release the slot, or false if the limit is reached.
func (p *Semaphore[K]) Acquire(key K) (release func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.total || p.by[key] >= p.each {
		return nil, false
	}
	p.taken++
	p.by[key]++
	return func() { p.release(key) }, true
}

func (p *Semaphore[K]) release(key K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.by[key]--; p.by[key] == 0 {
		delete(p.by, key)
	}
}
