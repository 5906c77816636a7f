package wiring

import "sync"

// Shared lets equal values in a cache share memory. Values in a cache must not be changed.
type Shared[T any] struct {
	mu    sync.Mutex
	known map[string]T
}

const (
	// maxShared limits the number of values. It is far more than a cluster has at a time.
	maxShared = 512
	// longestShared limits the text of a value, in bytes. Longer ones are from other clients, and are soon replaced.
	longestShared = 512 << 10
)

// One returns the first value with the same text.
func (s *Shared[T]) One(text string, value T) T {
	if len(text) > longestShared {
		return value
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.known[text]; ok {
		return known
	}
	if s.known == nil || len(s.known) >= maxShared {
		s.known = map[string]T{}
	}
	s.known[text] = value
	return value
}
