package reload

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// fingerprint identifies the versions of files without reading them. A kubelet changes the resolved paths; an editor
// changes the time, size or inode. A change in place by a program that resets the modification time, such as rsync
// --times, shows only in the ctime.
func fingerprint(paths []string) string {
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
		fmt.Fprintf(&b, "%s %d %d %s\n", resolved, info.Size(), info.ModTime().UnixNano(), inodeChange(info))
	}
	return b.String()
}

// maxDigestBytes limits the bytes of a file in its digest. No valid file is longer.
const maxDigestBytes = 4 << 20

// contentDigest returns a digest of the content of files. It detects two writes within one tick of the file system's
// clock, and a reset modification time on systems without ctime.
func contentDigest(paths []string) (digest [sha256.Size]byte) {
	h := sha256.New()
	for _, path := range paths {
		n, err := copyFile(h, path)
		_, _ = fmt.Fprintf(h, "\n%d %t\n", n, err == nil) // never fails
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func copyFile(to io.Writer, path string) (int64, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() { // opening a pipe would wait for a writer
		return 0, os.ErrInvalid
	}
	f, err := os.Open(path) //nolint:gosec // the operator names the files
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	return io.Copy(to, io.LimitReader(f, maxDigestBytes))
}
