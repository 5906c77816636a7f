package verifier

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

const (
	// rereadInterval is the least time between two reads that unknown kids cause.
	rereadInterval = time.Second
	// settleTime is the age from which a modification time tells one content of a file from the next: younger ones may
	// belong to two writes within one tick of the file system's clock.
	settleTime = 2 * time.Second
)

// keyFile follows one file and keeps the last good key set that was in it.
type keyFile struct {
	path    string
	now     func() time.Time
	logger  *slog.Logger
	current atomic.Pointer[KeySet]
	// observer hears of each read.
	observer Observer

	// reading is a lock that can be waited for together with a context: whoever puts a value in may use what follows.
	reading  chan struct{}
	read     identity          // of the file that was read last
	settled  bool              // an unchanged identity means an unchanged content
	digest   [sha256.Size]byte // of the content that current was made of
	failure  string            // why the last read gave no set, "" if it did
	rereadAt time.Time         // when an unknown kid last caused a read
}

// identity tells files, and versions of a file, apart. A kubelet replaces the directory that a symbolic link on the path
// leads to, so the path behind all links changes, even where size and time do not.
type identity struct {
	path     string
	file     os.FileInfo
	size     int64
	modified time.Time
}

// openKeyFile reads the file for the first time, and fails if there is no good key set in it.
func openKeyFile(path string, now func() time.Time, logger *slog.Logger, observer Observer) (*keyFile, error) {
	f := &keyFile{path: path, now: now, logger: logger, observer: observer, reading: make(chan struct{}, 1)}
	found, err := identify(path)
	if err == nil {
		err = f.load(found)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key set %s: %w (mount the ConfigMap with optional: false, "+
			"and check that its namespace is a target of the SigningKey)", path, err)
	}
	f.observeRead()
	return f, nil
}

// follow looks at the file once an interval until stop is closed.
func (f *keyFile) follow(interval time.Duration, stop <-chan struct{}) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			f.poll()
		}
	}
}

// poll reads the file if it may have changed since it was read, and always after a failure.
func (f *keyFile) poll() {
	f.reading <- struct{}{}
	defer func() { <-f.reading }()
	found, err := identify(f.path)
	if err == nil && f.failure == "" && f.settled && found.same(f.read) {
		return
	}
	if err == nil {
		err = f.load(found)
	}
	f.report(err)
}

// reread returns the set to try again with after a kid was not in the set tried. It reads the file, whatever its
// identity, unless an unknown kid caused a read less than rereadInterval ago; then it returns the current set, which
// may be the one tried. Callers wait for a read that is going on and share what it found. The error is that of ctx.
func (f *keyFile) reread(ctx context.Context, tried *KeySet) (*KeySet, error) {
	select {
	case f.reading <- struct{}{}:
		defer func() { <-f.reading }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if current := f.current.Load(); current != tried {
		return current, nil
	}
	now := f.now()
	if since := now.Sub(f.rereadAt); since >= 0 && since < rereadInterval {
		return tried, nil
	}
	f.rereadAt = now
	found, err := identify(f.path)
	if err == nil {
		err = f.load(found)
	}
	f.report(err)
	return f.current.Load(), nil
}

// load reads the file and, if its content is another than that of the current set, puts a new set in its place.
func (f *keyFile) load(found identity) error {
	// The identity is older than the content. Should the file be replaced in between, the next poll sees another
	// identity and reads again; the other way round, a change could be missed for ever.
	f.read = found
	f.settled = f.now().Sub(found.modified) >= settleTime
	data, err := readFile(found.path)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(data)
	if f.current.Load() != nil && digest == f.digest {
		return nil
	}
	set, err := ParseKeySet(data)
	if err != nil {
		return err
	}
	f.digest = digest
	f.current.Store(set)
	f.logger.Info("key set loaded", "file", f.path, "keyIDs", set.KeyIDs(), "skippedKeys", set.skipped)
	if len(set.keys) == 0 {
		f.logger.Warn("the key set has no usable key: every token is refused", "file", f.path)
	}
	return nil
}

// report logs a failure when it begins or becomes another one, and its end, so that a broken file does not fill the log.
func (f *keyFile) report(err error) {
	switch {
	case err == nil && f.failure == "":
	case err == nil:
		f.failure = ""
		f.logger.Info("key set readable again", "file", f.path)
	case err.Error() != f.failure:
		f.failure = err.Error()
		f.logger.Error("key set cannot be read; the last good one stays in use", "file", f.path, "error", err)
	}
	f.observeRead()
}

// identify follows all links of path to a regular file: opening a pipe would wait for a writer.
func identify(path string) (identity, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return identity{}, err
	}
	file, err := os.Stat(resolved)
	if err != nil {
		return identity{}, err
	}
	if !file.Mode().IsRegular() {
		return identity{}, errors.New("not a regular file: name the file of one SigningKey, not its directory")
	}
	return identity{path: resolved, file: file, size: file.Size(), modified: file.ModTime()}, nil
}

// same reports whether both are the same version of the same file.
func (i identity) same(other identity) bool {
	return i.path == other.path && os.SameFile(i.file, other.file) &&
		i.size == other.size && i.modified.Equal(other.modified)
}

// readFile reads one byte more than a key set may have, so that ParseKeySet refuses what is longer.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // the path is configured by the service, not by a token
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxKeySetBytes+1))
	return data, errors.Join(err, file.Close())
}
