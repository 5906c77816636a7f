package mount

import (
	"context"
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
	paths  []string
	load   func() (T, error)
	report func(source string, err error)

	good atomic.Pointer[T]

	mu      sync.Mutex
	stamp   string
	problem string
}

// New returns a source that has loaded nothing yet. load reads and checks the files at paths. report is told of every
// load that succeeded, with nil, and of every new problem, once.
func New[T any](name string, paths []string, load func() (T, error), report func(source string, err error)) *Source[T] {
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

// Poll loads the files if they changed since they were last loaded, or could not be loaded. A failure leaves the last
// good value in place.
func (s *Source[T]) Poll() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stamp := stampOf(s.paths)
	if s.problem == "" && stamp == s.stamp && s.good.Load() != nil {
		return nil
	}
	value, err := s.load()
	if err != nil {
		err = fmt.Errorf("%s: %w", s.name, err)
		if s.problem != err.Error() {
			s.problem = err.Error()
			s.report(s.name, err)
		}
		return err
	}
	s.stamp, s.problem = stamp, ""
	s.good.Store(&value)
	s.report(s.name, nil)
	return nil
}

// Follow polls until the context ends. Reading a link and two or three file headers takes microseconds, and unlike a
// watch it misses nothing.
func (s *Source[T]) Follow(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = s.Poll() // reported
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
