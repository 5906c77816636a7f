package limit

import "sync"

// Places bounds what goes on at a time: in all, and for each key. A key is whoever must not take everybody's place, like a network.
type Places[K comparable] struct {
	total, each int

	mu    sync.Mutex
	taken int
	by    map[K]int
}

// NewPlaces returns Places of which none is taken.
func NewPlaces[K comparable](total, each int) *Places[K] {
	return &Places[K]{total: total, each: each, by: map[K]int{}}
}

// Take takes a place, or reports that there is none. Who took one calls leave, once.
func (p *Places[K]) Take(key K) (leave func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.total || p.by[key] >= p.each {
		return nil, false
	}
	p.taken++
	p.by[key]++
	return func() { p.leave(key) }, true
}

func (p *Places[K]) leave(key K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.by[key]--; p.by[key] == 0 {
		delete(p.by, key)
	}
}
