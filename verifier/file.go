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
	// settleTime is the minimum age of a file at which its times identify its content. Two writes within one tick of
	// the file system's clock have equal times.
	settleTime = 2 * time.Second
	// rereadInterval is the interval after which a file is read again even if it seems unchanged. Some file systems
	// do not show a change in place by a program that resets the modification time, such as rsync --times.
	rereadInterval = 10 * time.Second
)

// File returns a Source that reads a file of a mounted ConfigMap, such as /var/run/keywright/jwks/main.json. It reads
// a single file, because every key in a directory could then sign for the issuer. It also reads the revocation list
// beside it, main.revoked for main.json. Both are polled once per second, and read if they seem changed, and at least
// every 10 seconds.
func File(path string) Source { return filePath(path) }

// filePath is the Source that File returns.
type filePath string

func (p filePath) String() string { return string(p) }

func (p filePath) cacheKey() any { return p }

func (p filePath) intervals() (poll, unknownKey time.Duration) { return time.Second, time.Second }

func (p filePath) open() (sourceReader, error) {
	if p == "" {
		return nil, errors.New("the path of the file with the key set is empty")
	}
	return &fileReader{path: string(p)}, nil
}

// The file name suffixes of a key set and of the revocation list beside it.
const (
	keySetSuffix  = ".json"
	revokedSuffix = ".revoked"
)

// fileReader reads a key set file, and the revocation list beside it.
type fileReader struct {
	path     string
	lastRead fileVersions // the files that were read last
	settled  bool         // an equal fileVersions means equal content
	readAt   time.Time    // when the files were last read
}

// fileVersions identifies the files of a source before they are read.
type fileVersions struct {
	keys        fileIdentity
	list        fileIdentity // zero if there is no list
	listFailure error        // why the list cannot be read
}

// fileIdentity identifies a version of a file. A kubelet replaces the directory behind a symbolic link, so the
// resolved path changes even if size and times do not.
type fileIdentity struct {
	path     string
	file     os.FileInfo
	size     int64
	modified time.Time
	changed  time.Time // the ctime, zero if the system does not have it
}

func (f *fileReader) read(_ context.Context, now time.Time, force bool) (rawContent, error) {
	for range maxVolumeSwaps {
		found, err := f.locate()
		if err != nil {
			return rawContent{}, err
		}
		if !force && f.settled && found.equal(f.lastRead) && !f.rereadDue(now) {
			return rawContent{}, errUnchanged
		}
		read, err := f.readVersion(found, now)
		if f.isCurrent(found) {
			return read, err
		}
	}
	return rawContent{}, errors.New("the mounted files changed during each attempt to read them")
}

// maxVolumeSwaps limits how often a read is repeated because the volume changed during it.
const maxVolumeSwaps = 4

// locate identifies the key set and the revocation list in the same version of the mount.
func (f *fileReader) locate() (fileVersions, error) {
	keys, err := identify(f.path)
	if err != nil {
		return fileVersions{}, err
	}
	list, err := identify(strings.TrimSuffix(keys.path, keySetSuffix) + revokedSuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileVersions{keys: keys, listFailure: fmt.Errorf("revocation list: %w", err)}, nil
	}
	return fileVersions{keys: keys, list: list}, nil
}

// readVersion reads the located files. The identities are taken before the read: if a file is replaced in between,
// the next poll detects it. If the list cannot be read, the keys are still returned, because one of them may have
// been revoked.
func (f *fileReader) readVersion(found fileVersions, now time.Time) (rawContent, error) {
	f.lastRead, f.readAt = found, now
	f.settled = found.keys.settled(now) && found.list.settled(now)
	keys, err := readFile(found.keys.path, maxKeySetBytes)
	if err != nil {
		return rawContent{}, err
	}
	read := rawContent{keySet: keys, listFailure: found.listFailure}
	if found.list.path != "" {
		read.revocationList, err = readFile(found.list.path, maxRevocationListBytes)
	}
	if err != nil {
		return rawContent{keySet: keys, listFailure: fmt.Errorf("revocation list: %w", err)}, nil
	}
	return read, nil
}

// isCurrent reports whether the version of the mount that was read is still mounted. If it is not, a kubelet may have
// removed some of its files during the read.
func (f *fileReader) isCurrent(found fileVersions) bool {
	now, _ := filepath.EvalSymlinks(f.path) // a missing file has no path
	return now == found.keys.path
}

// rereadDue reports whether the file must be read even if it seems unchanged. It returns true if the clock was set
// back.
func (f *fileReader) rereadDue(now time.Time) bool {
	since := now.Sub(f.readAt)
	return since < 0 || since >= rereadInterval
}

func (f *fileReader) close() {}

// identify resolves all symbolic links of path. It returns an error unless path is a regular file, because opening a
// pipe would block.
func identify(path string) (fileIdentity, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fileIdentity{}, err
	}
	file, err := os.Stat(resolved)
	if err != nil {
		return fileIdentity{}, err
	}
	if !file.Mode().IsRegular() {
		return fileIdentity{}, errors.New("not a regular file: name the file of one SigningKey, not its directory")
	}
	return fileIdentity{path: resolved, file: file, size: file.Size(), modified: file.ModTime(), changed: changeTime(file)}, nil
}

// settled reports whether the times identify the content. A missing file is settled.
func (i fileIdentity) settled(now time.Time) bool {
	return now.Sub(i.modified) >= settleTime && now.Sub(i.changed) >= settleTime
}

// equal reports whether both identify the same versions of the same files.
func (l fileVersions) equal(other fileVersions) bool {
	return l.keys.equal(other.keys) && l.list.equal(other.list)
}

// equal reports whether both identify the same version of the same file, or no file.
func (i fileIdentity) equal(other fileIdentity) bool {
	if i.path == "" {
		return other.path == ""
	}
	return i.path == other.path && os.SameFile(i.file, other.file) &&
		i.size == other.size && i.modified.Equal(other.modified) && i.changed.Equal(other.changed)
}

// readFile reads at most one byte more than the limit, so that the parser rejects a longer file.
func readFile(path string, most int64) ([]byte, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	return data, errors.Join(err, file.Close())
}
