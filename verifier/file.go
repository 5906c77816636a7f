package verifier

import (
	"context"
	"errors"
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
	last    identity  // of the file that was read last
	list    identity  // of the list that was read with it, zero if there was none
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

func (f *file) read(_ context.Context, now time.Time, again bool) (version, error) {
	for tries := 0; ; tries++ {
		found, err := identify(f.path)
		if err != nil {
			return version{}, err
		}
		list := f.identifyList(found)
		if !again && f.settled && found.same(f.last) && list.same(f.list) && !f.due(now) {
			return version{}, errUnchanged
		}
		read, err := f.readVersion(found, list, now)
		if !errors.Is(err, errSwapped) || tries == maxSwaps {
			return read, err
		}
	}
}

// readVersion reads the files that were found. Their identities are older than the content: should a file be replaced in
// between, the next look sees another identity and reads again. The other way round, a change could be missed for ever.
func (f *file) readVersion(found, list identity, now time.Time) (version, error) {
	f.last, f.list, f.readAt = found, list, now
	f.settled = found.settled(now) && list.settled(now)
	keys, err := readFile(found.path, maxKeySetBytes)
	if err != nil {
		return version{}, err
	}
	if list.path == "" {
		if _, err := os.Stat(found.path); err != nil { // the list may have been removed with the whole version, and not alone
			return version{}, errSwapped
		}
		return version{keys: keys}, nil
	}
	revoked, err := readFile(list.path, maxRevokedBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return version{}, errSwapped
	}
	return version{keys: keys, list: revoked}, err
}

// errSwapped is that another version of the volume was mounted while one was read, and maxSwaps how often that is believed.
var errSwapped = errors.New("the mount changed while it was read")

const maxSwaps = 3

// identifyList finds the revocation list of the version of the mount that the key set was found in, zero if there is none.
func (f *file) identifyList(found identity) identity {
	name, ok := strings.CutSuffix(filepath.Base(f.path), keySetSuffix)
	if !ok {
		return identity{}
	}
	list, err := identify(filepath.Join(filepath.Dir(found.path), name+revokedSuffix))
	if err != nil {
		return identity{}
	}
	return list
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

// same reports whether both are the same version of the same file.
func (i identity) same(other identity) bool {
	if i.path == "" || other.path == "" {
		return i.path == other.path
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
