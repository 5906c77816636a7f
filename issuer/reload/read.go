package reload

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Read returns the content of a file. It returns an error if the file is longer than limit bytes.
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

// Version returns the directory that the link ..data of a volume points to, or the directory itself if there is no
// such link. All files read from it belong to the same version.
func Version(directory string) string {
	if version, err := filepath.EvalSymlinks(filepath.Join(directory, "..data")); err == nil {
		return version
	}
	return directory
}
