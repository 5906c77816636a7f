package rotated

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Volume is a mounted ConfigMap, changed as a kubelet does it: the files stand in a directory of their own, ..data links
// to it, and the names that pods use link through ..data. A change is another directory and a swap of ..data.
type Volume struct {
	t         *testing.T
	directory string
	version   string
	written   []byte
	count     int
}

func newVolume(t *testing.T) *Volume {
	t.Helper()
	v := &Volume{t: t, directory: t.TempDir()}
	check(t, os.Chmod(v.directory, 0o755))
	check(t, os.Symlink(filepath.Join("..data", "main.json"), v.File()))
	return v
}

// File is main.json, as a pod names it.
func (v *Volume) File() string { return filepath.Join(v.directory, "main.json") }

// Directory is the mount.
func (v *Volume) Directory() string { return v.directory }

// Write replaces the content, whether it is a key set or not.
func (v *Volume) Write(content []byte) {
	v.t.Helper()
	if v.count > 0 && slices.Equal(content, v.written) {
		return
	}
	v.count++
	next := fmt.Sprintf("..2026_11_24_12_00_00.%d", v.count)
	check(v.t, os.Mkdir(filepath.Join(v.directory, next), 0o755))
	check(v.t, os.WriteFile(filepath.Join(v.directory, next, "main.json"), content, 0o644))
	link := filepath.Join(v.directory, "..data")
	check(v.t, os.Symlink(next, link+"_tmp"))
	check(v.t, os.Rename(link+"_tmp", link))
	if v.version != "" {
		check(v.t, os.RemoveAll(filepath.Join(v.directory, v.version)))
	}
	v.version, v.written = next, content
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func contains(list []string, one string) bool { return slices.Contains(list, one) }

func segments(token string) []string { return strings.Split(token, ".") }
