package reload

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Watcher holds a value that is loaded from files, and reloads it when they change. Its methods are safe for
// concurrent use.
type Watcher[T any] struct {
	name   string
	paths  func() []string
	load   func() (T, error)
	report func(source string, err error)

	current atomic.Pointer[T]

	mu sync.Mutex
	// fingerprint and digest are taken before a load, so that a change during the load is found by the next poll.
	fingerprint string
	digest      [sha256.Size]byte
	problem     error
}

// rereadInterval is the interval after which files are read again even if they seem unchanged. A failed load is then
// retried, because the disk may have failed temporarily; a successful one only if the content changed, because
// loading all users is expensive.
const rereadInterval = 10 * time.Second

// ErrDegraded marks the error of a load whose value replaces the current one nevertheless. Degraded returns such an
// error.
var ErrDegraded = errors.New("taken")

// Degraded wraps an error so that it matches ErrDegraded.
func Degraded(err error) error { return degraded{err} }

type degraded struct{ error }

func (t degraded) Unwrap() error { return t.error }

func (t degraded) Is(target error) bool { return target == ErrDegraded }

// New returns a Watcher that has loaded nothing yet. load reads and validates the files at paths. report is called
// with nil after each successful load, and once for each new error.
func New[T any](name string, paths []string, load func() (T, error), report func(source string, err error)) *Watcher[T] {
	return NewWithPaths(name, func() []string { return paths }, load, report)
}

// NewWithPaths is like New, for paths that depend on the loaded value.
func NewWithPaths[T any](name string, paths func() []string, load func() (T, error), report func(source string, err error)) *Watcher[T] {
	return &Watcher[T]{name: name, paths: paths, load: load, report: report}
}

// Get returns the current value, and false if no load has succeeded yet.
func (w *Watcher[T]) Get() (T, bool) {
	if p := w.current.Load(); p != nil {
		return *p, true
	}
	var none T
	return none, false
}

// Poll loads the files if they changed since the last attempt. If the load fails, the current value stays in use, and
// the error is returned by every Poll until the files change.
func (w *Watcher[T]) Poll() error { return w.poll(false) }

func (w *Watcher[T]) poll(force bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	paths := w.paths()
	stamp := fingerprint(paths)
	if stamp == w.fingerprint && !force {
		return w.problem
	}
	digest := contentDigest(paths)
	if stamp == w.fingerprint && w.problem == nil && digest == w.digest {
		return nil
	}
	w.fingerprint, w.digest = stamp, digest
	value, err := w.load()
	if err == nil || errors.Is(err, ErrDegraded) {
		w.current.Store(&value)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", w.name, err)
		if w.problem == nil || w.problem.Error() != err.Error() {
			w.report(w.name, err)
		}
		w.problem = err
		return err
	}
	w.problem = nil
	w.report(w.name, nil)
	return nil
}

// Run polls at the given interval until ctx is done, and reads the files every ten seconds. Polling takes
// microseconds and, unlike a watch, misses no change.
func (w *Watcher[T]) Run(ctx context.Context, every time.Duration) {
	ticker, again := time.NewTicker(every), time.NewTicker(rereadInterval)
	defer ticker.Stop()
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = w.Poll() // the error is reported
		case <-again.C:
			_ = w.poll(true)
		}
	}
}
