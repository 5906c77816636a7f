package mount

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Source is a value that is loaded from files, again whenever they change. Its methods may be called at the same time.
type Source[T any] struct {
	name   string
	paths  func() []string
	load   func() (T, error)
	report func(source string, err error)

	good atomic.Pointer[T]

	mu sync.Mutex
	// stamp and digest are older than what was loaded: should a file change in between, they differ at the next poll.
	stamp   string
	digest  [sha256.Size]byte
	problem error
}

// lookAgainEvery is how soon files that look the same are looked into. What could not be loaded is then loaded again, for a disk
// may have failed, and what was loaded if its bytes have changed. Checking all users costs too much to do it all the time.
const lookAgainEvery = 10 * time.Second

// ErrTaken marks the error of a load whose value takes the place of the last good one all the same. Taken marks it.
var ErrTaken = errors.New("taken")

// Taken returns an error of the same text that is ErrTaken.
func Taken(err error) error { return taken{err} }

type taken struct{ error }

func (t taken) Unwrap() error { return t.error }

func (t taken) Is(target error) bool { return target == ErrTaken }

// New returns a source that has loaded nothing yet. load reads and checks the files at paths. report is told of every
// load that succeeded, with nil, and of every new problem, once.
func New[T any](name string, paths []string, load func() (T, error), report func(source string, err error)) *Source[T] {
	return NewOf(name, func() []string { return paths }, load, report)
}

// NewOf is New for paths that depend on what was loaded.
func NewOf[T any](name string, paths func() []string, load func() (T, error), report func(source string, err error)) *Source[T] {
	return &Source[T]{name: name, paths: paths, load: load, report: report}
}

// Get returns the last good value, and whether there was one.
func (s *Source[T]) Get() (T, bool) {
	if p := s.good.Load(); p != nil {
		return *p, true
	}
	var none T
	return none, false
}

// Poll loads the files if they changed since that was last tried. A failure leaves the last good value in place, and is
// returned until they change.
func (s *Source[T]) Poll() error { return s.poll(false) }

func (s *Source[T]) poll(again bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	paths := s.paths()
	stamp := stampOf(paths)
	if stamp == s.stamp && !again {
		return s.problem
	}
	digest := digestOf(paths)
	if stamp == s.stamp && s.problem == nil && digest == s.digest {
		return nil
	}
	s.stamp, s.digest = stamp, digest
	value, err := s.load()
	if err == nil || errors.Is(err, ErrTaken) {
		s.good.Store(&value)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", s.name, err)
		if s.problem == nil || s.problem.Error() != err.Error() {
			s.report(s.name, err)
		}
		s.problem = err
		return err
	}
	s.problem = nil
	s.report(s.name, nil)
	return nil
}

// Follow polls until the context ends, and looks into the files every ten seconds. Reading a link and two or three file headers
// takes microseconds, and unlike a watch it misses nothing.
func (s *Source[T]) Follow(ctx context.Context, every time.Duration) {
	ticker, again := time.NewTicker(every), time.NewTicker(lookAgainEvery)
	defer ticker.Stop()
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = s.Poll() // reported
		case <-again.C:
			_ = s.poll(true)
		}
	}
}
