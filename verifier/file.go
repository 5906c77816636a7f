package verifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
// for the issuer. The revocation list beside it, main.revoked for main.json, is read with it: what it ends is refused. Both are
// looked at once a second, and read when they look changed, and every 10 seconds.
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

// The ends of the names of a key set and of the revocation list beside it.
const (
	keySetSuffix  = ".json"
	revokedSuffix = ".revoked"
)

// file follows one file, and the revocation list beside it.
type file struct {
	path    string
	last    located   // the files that were read last
	settled bool      // the same identities mean the same content
	readAt  time.Time // when it was read
}

// located is what stands at a path, before it is read.
type located struct {
	keys        identity
	list        identity // zero if there is none
	listFailure error    // why it cannot be read
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

func (f *file) read(_ context.Context, now time.Time, again bool) (version, error) {
	for range maxSwaps {
		found, err := f.find()
		if err != nil {
			return version{}, err
		}
		if !again && f.settled && found.same(f.last) && !f.due(now) {
			return version{}, errUnchanged
		}
		read, err := f.readVersion(found, now)
		if f.stands(found) {
			return read, err
		}
	}
	return version{}, errors.New("the mount changed each time that it was read")
}

// maxSwaps is how often a version of a volume is read anew because another took its place meanwhile.
const maxSwaps = 4

// find looks for the key set, and for the revocation list beside it, in the same version of the mount.
func (f *file) find() (located, error) {
	keys, err := identify(f.path)
	if err != nil {
		return located{}, err
	}
	list, err := identify(strings.TrimSuffix(keys.path, keySetSuffix) + revokedSuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return located{keys: keys, listFailure: fmt.Errorf("revocation list: %w", err)}, nil
	}
	return located{keys: keys, list: list}, nil
}

// readVersion reads the files that were found. Their identities are older than the content: should a file be replaced in
// between, the next look sees another identity and reads again. The other way round, a change could be missed for ever.
// What is wrong with the list keeps nobody from reading the keys: one of them may have been revoked.
func (f *file) readVersion(found located, now time.Time) (version, error) {
	f.last, f.readAt = found, now
	f.settled = found.keys.settled(now) && found.list.settled(now)
	keys, err := readFile(found.keys.path, maxKeySetBytes)
	if err != nil {
		return version{}, err
	}
	read := version{keys: keys, listFailure: found.listFailure}
	if found.list.path != "" {
		read.list, err = readFile(found.list.path, maxRevokedBytes)
	}
	if err != nil {
		return version{keys: keys, listFailure: fmt.Errorf("revocation list: %w", err)}, nil
	}
	return read, nil
}

// stands reports whether the version of the mount that was read is still the one that is mounted. If not, its files may have
// been removed one by one while they were read, and what was missing says nothing. A kubelet mounts the next version before
// it removes the last.
func (f *file) stands(found located) bool {
	now, _ := filepath.EvalSymlinks(f.path) // what is gone has no path
	return now == found.keys.path
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

// settled reports whether the times tell one content from the next. What is not there has none.
func (i identity) settled(now time.Time) bool {
	return now.Sub(i.modified) >= settleTime && now.Sub(i.changed) >= settleTime
}

// same reports whether both are the same versions of the same files.
func (l located) same(other located) bool {
	return l.keys.same(other.keys) && l.list.same(other.list)
}

// same reports whether both are the same version of the same file, or both nothing.
func (i identity) same(other identity) bool {
	if i.path == "" {
		return other.path == ""
	}
	return i.path == other.path && os.SameFile(i.file, other.file) &&
		i.size == other.size && i.modified.Equal(other.modified) && i.changed.Equal(other.changed)
}

// readFile reads one byte more than a file may have, so that its parser refuses what is longer.
func readFile(path string, most int64) ([]byte, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	return data, errors.Join(err, file.Close())
}
