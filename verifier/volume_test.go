package verifier

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// volume is a mounted ConfigMap, changed the way a kubelet does it (the atomic writer of Kubernetes' volume code): the
// files stand in a directory of their own, ..data links to it, and the names that pods use link through ..data. An
// update writes a new directory and renames a new ..data over the old one.
type volume struct {
	t       *testing.T
	dir     string
	updates int
}

func newVolume(t *testing.T, content []byte) *volume {
	t.Helper()
	v := &volume{t: t, dir: t.TempDir()}
	v.update(content, testNow)
	v.check(os.Symlink(filepath.Join("..data", "main.json"), v.path()))
	return v
}

// path is the file as a pod names it.
func (v *volume) path() string { return filepath.Join(v.dir, "main.json") }

// update replaces the content; nil takes the file away. All files get the same modification time, so that nothing but
// the path and the inode tells them apart.
func (v *volume) update(content []byte, modified time.Time) {
	v.t.Helper()
	v.updates++
	name := fmt.Sprintf("..2026_11_24_02_12_%02d.%d", v.updates, 4_000_000+v.updates)
	v.check(os.Mkdir(filepath.Join(v.dir, name), 0o755))
	if content != nil {
		file := filepath.Join(v.dir, name, "main.json")
		v.check(os.WriteFile(file, content, 0o644))
		v.check(os.Chtimes(file, modified, modified))
	}
	link := filepath.Join(v.dir, "..data")
	previous, _ := os.Readlink(link)
	v.check(os.Symlink(name, link+"_tmp"))
	v.check(os.Rename(link+"_tmp", link))
	if previous != "" {
		v.check(os.RemoveAll(filepath.Join(v.dir, previous)))
	}
}

func (v *volume) check(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}
