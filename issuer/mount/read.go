package mount

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Read returns the content of a file of at most limit bytes.
func Read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the files
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return b, nil
}

// Version returns the directory that a mount's ..data link leads to now, or the directory itself if nothing is mounted
// there. Files that are read from it belong together, also while a kubelet swaps the link.
func Version(directory string) string {
	if version, err := filepath.EvalSymlinks(filepath.Join(directory, "..data")); err == nil {
		return version
	}
	return directory
}
