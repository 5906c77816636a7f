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

// Volume is a directory into which a ConfigMap or a Secret is mounted as a projected volume. Write changes it as a kubelet does
// (the atomic writer of Kubernetes, pkg/volume/util/atomic_writer.go): the files stand in a directory of their own, ..data links to
// it, and the names that a pod uses link through ..data. A change is another directory and a swap of ..data, so that a reader sees
// all files of one version or of the next. The zero Volume with a Directory is empty.
type Volume struct {
	// Directory is the mount. It must exist.
	Directory string
	// Modified is the modification time of all files that are written, now if it is zero. Equal times leave the path and the inode
	// to tell versions apart, as on a node.
	Modified time.Time

	versions int
	version  string
	written  map[string][]byte
}

// Path returns the path of a file as a pod names it.
func (v *Volume) Path(name string) string { return filepath.Join(v.Directory, name) }

// Write replaces all files. A name that is not among the new ones vanishes. Equal files change nothing.
func (v *Volume) Write(files map[string][]byte) error {
	if v.version != "" && maps.EqualFunc(files, v.written, bytes.Equal) {
		return nil
	}
	v.versions++
	next := fmt.Sprintf("..2026_11_26_12_00_%02d.%d", v.versions%60, 4_000_000_000+v.versions)
	if err := v.fill(next, files); err != nil {
		return err
	}
	link := v.Path("..data")
	if err := os.Symlink(next, link+"_tmp"); err != nil {
		return err
	}
	if err := os.Rename(link+"_tmp", link); err != nil {
		return err
	}
	if err := v.name(files); err != nil {
		return err
	}
	last := v.version
	v.version, v.written = next, maps.Clone(files)
	if last == "" {
		return nil
	}
	return os.RemoveAll(v.Path(last))
}

// fill writes the files of a version. Others may read them, as a server that gives up its rights does.
func (v *Volume) fill(version string, files map[string][]byte) error {
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

// name links the names that a pod uses, and removes those of files that are gone.
func (v *Volume) name(files map[string][]byte) error {
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
