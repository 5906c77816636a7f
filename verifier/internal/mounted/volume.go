// Package mounted changes files as a kubelet changes those of a mounted volume, for tests.
package mounted

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"
)

// Volume is a projected volume with the files of a ConfigMap or a Secret. Write changes it as a kubelet does (the
// atomic writer of Kubernetes, pkg/volume/util/atomic_writer.go): the files are in a versioned directory, ..data is a
// symbolic link to it, and the visible names link through ..data. A change creates another directory and replaces
// ..data, so that a reader sees all files of one version. The zero Volume with a Directory is empty.
type Volume struct {
	// Directory is the mount point. It must exist.
	Directory string
	// Modified is the modification time of written files, the current time if it is zero. With equal times only the
	// path and the inode differ between versions, as on a node.
	Modified time.Time

	versions int
	version  string
	written  map[string][]byte
}

// Path returns the path of a file in the volume.
func (v *Volume) Path(name string) string { return filepath.Join(v.Directory, name) }

// Write replaces all files, and removes those with other names. Equal files change nothing.
func (v *Volume) Write(files map[string][]byte) error {
	if v.version != "" && maps.EqualFunc(files, v.written, bytes.Equal) {
		return nil
	}
	v.versions++
	next := fmt.Sprintf("..2026_11_26_12_00_%02d.%d", v.versions%60, 4_000_000_000+v.versions)
	if err := v.writeVersion(next, files); err != nil {
		return err
	}
	link := v.Path("..data")
	if err := os.Symlink(next, link+"_tmp"); err != nil {
		return err
	}
	if err := os.Rename(link+"_tmp", link); err != nil {
		return err
	}
	if err := v.updateLinks(files); err != nil {
		return err
	}
	last := v.version
	v.version, v.written = next, maps.Clone(files)
	if last == "" {
		return nil
	}
	return os.RemoveAll(v.Path(last))
}

// writeVersion writes the files of a version. They are world-readable, for servers that drop privileges.
func (v *Volume) writeVersion(version string, files map[string][]byte) error {
	if err := os.Mkdir(v.Path(version), 0o755); err != nil { //nolint:gosec // as a kubelet does
		return err
	}
	for name, content := range files {
		path := filepath.Join(v.Path(version), name)
		if err := os.WriteFile(path, content, 0o644); err != nil { //nolint:gosec // as a kubelet does
			return err
		}
		if !v.Modified.IsZero() {
			if err := os.Chtimes(path, v.Modified, v.Modified); err != nil {
				return err
			}
		}
	}
	return nil
}

// updateLinks creates the visible links, and removes those of removed files.
func (v *Volume) updateLinks(files map[string][]byte) error {
	for name := range files {
		if _, err := os.Lstat(v.Path(name)); err == nil {
			continue
		}
		if err := os.Symlink(filepath.Join("..data", name), v.Path(name)); err != nil {
			return err
		}
	}
	for name := range v.written {
		if _, stays := files[name]; !stays {
			if err := os.Remove(v.Path(name)); err != nil {
				return err
			}
		}
	}
	return nil
}
