package mount

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

	mu      sync.Mutex
	stamp   string
	problem error
}

// tryAgainEvery is how soon what could not be loaded is loaded again although it looks the same: a disk may have failed, and
// checking all users costs too much to do it all the time.
const tryAgainEvery = 10 * time.Second

// ErrTaken is wrapped by the error of a load whose value takes the place of the last good one all the same.
var ErrTaken = errors.New("it takes effect as far as it can be read")

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
	stamp := stampOf(s.paths())
	if stamp == s.stamp && (s.problem == nil || !again) {
		return s.problem
	}
	s.stamp = stamp
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

// Follow polls until the context ends. Reading a link and two or three file headers takes microseconds, and unlike a
// watch it misses nothing.
func (s *Source[T]) Follow(ctx context.Context, every time.Duration) {
	ticker, again := time.NewTicker(every), time.NewTicker(tryAgainEvery)
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

// stampOf says in one text which files stand at some paths. A kubelet swaps the ..data link of the directory, which
// changes where the paths lead; an editor changes time, size or inode.
func stampOf(paths []string) string {
	var b strings.Builder
	for _, path := range paths {
		resolved, err := filepath.EvalSymlinks(path)
		if err != nil {
			fmt.Fprintf(&b, "%s missing\n", path)
			continue
		}
		info, err := os.Stat(resolved)
		if err != nil {
			fmt.Fprintf(&b, "%s unreadable\n", path)
			continue
		}
		fmt.Fprintf(&b, "%s %d %d\n", resolved, info.Size(), info.ModTime().UnixNano())
	}
	return b.String()
}
