package mount

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// stampOf says in one text which files stand at some paths. A kubelet swaps the ..data link of the directory, which
// changes where the paths lead; an editor changes time, size or inode. What writes a file in place and sets its time back, such as
// rsync --times, changes nothing but what change says.
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
		fmt.Fprintf(&b, "%s %d %d %s\n", resolved, info.Size(), info.ModTime().UnixNano(), change(info))
	}
	return b.String()
}

// maxLook bounds what is read of a file to see whether it changed. None that can be loaded is longer.
const maxLook = 4 << 20

// digestOf is of the bytes of the files at some paths. It sees what no stamp shows: two writes within one tick of the file
// system's clock, and a time that was set back where the system does not say when a file was changed.
func digestOf(paths []string) (digest [sha256.Size]byte) {
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
	return io.Copy(to, io.LimitReader(f, maxLook))
}
