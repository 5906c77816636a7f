package verifier

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	// settleTime is the age from which the times of a file tell one content from the next: younger ones may belong to two
	// writes within one tick of the file system's clock.
	settleTime = 2 * time.Second
	// readAgainAfter is how soon a file is read again that looks unchanged: some file systems and systems do not say when
	// a file was changed in place by a program that sets its modification time back, such as rsync --times.
	readAgainAfter = 10 * time.Second
)

// File is the Source of a service in the cluster: a file of a mounted ConfigMap, such as
// /var/run/keywright/jwks/main.json. It is one file: the keys of a whole directory would let each of their owners sign
// for the issuer. It is looked at once a second, and read when it looks changed, and every 10 seconds.
func File(path string) Source { return filePath(path) }

// filePath is the Source that File makes.
type filePath string

func (p filePath) String() string { return string(p) }

func (p filePath) key() any { return p }

func (p filePath) pace() (look, unknown time.Duration) { return time.Second, time.Second }

func (p filePath) open() (content, error) {
	if p == "" {
		return nil, errors.New("the path of the key set is empty")
	}
	return &file{path: string(p)}, nil
}

// file follows one file.
type file struct {
	path    string
	last    identity  // of the file that was read last
	settled bool      // the same identity means the same content
	readAt  time.Time // when it was read
}

// identity tells files, and versions of a file, apart. A kubelet replaces the directory that a symbolic link on the path
// leads to, so the path behind all links changes, even where size and times do not.
type identity struct {
	path     string
	file     os.FileInfo
	size     int64
	modified time.Time
	changed  time.Time // also by what sets modified, zero if the system does not tell
}

func (f *file) read(_ context.Context, now time.Time, again bool) ([]byte, error) {
	found, err := identify(f.path)
	if err != nil {
		return nil, err
	}
	if !again && f.settled && found.same(f.last) && !f.due(now) {
		return nil, errUnchanged
	}
	return f.readVersion(found, now)
}

// readVersion reads the file that was found. Its identity is older than the content: should the file be replaced in
// between, the next look sees another identity and reads again. The other way round, a change could be missed for ever.
func (f *file) readVersion(found identity, now time.Time) ([]byte, error) {
	f.last = found
	f.readAt = now
	f.settled = now.Sub(found.modified) >= settleTime && now.Sub(found.changed) >= settleTime
	return readFile(found.path)
}

// due reports whether the file must be read whatever it looks like. A clock that was set back makes it so.
func (f *file) due(now time.Time) bool {
	since := now.Sub(f.readAt)
	return since < 0 || since >= readAgainAfter
}

func (f *file) close() {}

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
	return identity{path: resolved, file: file, size: file.Size(), modified: file.ModTime(), changed: changeTime(file)}, nil
}

// same reports whether both are the same version of the same file.
func (i identity) same(other identity) bool {
	return i.path == other.path && os.SameFile(i.file, other.file) &&
		i.size == other.size && i.modified.Equal(other.modified) && i.changed.Equal(other.changed)
}

// readFile reads one byte more than a key set may have, so that ParseKeySet refuses what is longer.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, maxKeySetBytes+1))
	return data, errors.Join(err, file.Close())
}
