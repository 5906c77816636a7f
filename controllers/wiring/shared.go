package wiring

import "sync"

// Shared lets equal values in a cache be one. Nobody changes what is in a cache.
type Shared[T any] struct {
	mu    sync.Mutex
	known map[string]T
}

const (
	// maxShared bounds how many values are remembered, far above what one cluster has at a time.
	maxShared = 512
	// longestShared bounds the text of what is remembered, in bytes: longer ones are planted, and do not stay.
	longestShared = 512 << 10
)

// One returns the first value that had the same text.
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
