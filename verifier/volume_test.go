package verifier

import (
	"testing"
	"time"

	"github.com/keywright/keywright/verifier/internal/mounted"
)

// volume is a mounted ConfigMap with one key set.
type volume struct {
	mounted.Volume
	t *testing.T
}

func newVolume(t *testing.T, content []byte) *volume {
	t.Helper()
	v := &volume{t: t, Volume: mounted.Volume{Directory: t.TempDir()}}
	v.update(content, testNow)
	return v
}

// path is the file as a pod names it.
func (v *volume) path() string { return v.Path("main.json") }

// update replaces the content; nil takes the file away.
func (v *volume) update(content []byte, modified time.Time) {
	v.t.Helper()
	files := map[string][]byte{}
	if content != nil {
		files["main.json"] = content
	}
	v.Modified = modified
	v.check(v.Write(files))
}

func (v *volume) check(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}
