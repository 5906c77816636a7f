package reload

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// followed is a source of one file that is written in place, with one size and one modification time.
func followed(t *testing.T) (s *Watcher[string], write func(content string), path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	long := time.Unix(1_600_000_000, 0)
	write = func(content string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), os.Chtimes(path, long, long)); err != nil {
			t.Fatal(err)
		}
	}
	s = New("it", []string{path}, func() (string, error) {
		b, err := Read(path, 10)
		return string(b), err
	}, func(string, error) {})
	write("one")
	if err := s.Poll(); err != nil {
		t.Fatal(err)
	}
	return s, write, path
}

func (w *Watcher[T]) wants(t *testing.T, want T, what string) {
	t.Helper()
	if got, _ := w.Get(); any(got) != any(want) {
		t.Errorf("%s: %v", what, got)
	}
}

// rsync --times, cp -p and tar set the modification time of what they write in place.
func TestChangeInPlaceWithTheOldSizeAndTime(t *testing.T) {
	s, write, path := followed(t)
	write("two")
	_ = s.Poll()
	s.wants(t, "two", "written in place")
	moved := path + ".new"
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	write("six")
	_ = s.Poll()
	s.wants(t, "six", "another file of the name")
}

// What no stamp shows is seen when the files are looked into, and what has not changed is not loaded then.
func TestChangeThatNothingTells(t *testing.T) {
	s, write, path := followed(t)
	write("two")
	s.fingerprint = fingerprint(s.paths())
	_ = s.Poll()
	s.wants(t, "one", "before the files are looked into")
	_ = s.poll(true)
	s.wants(t, "two", "when they are")
	loads := 0
	s.load = func() (string, error) { loads++; return "again", nil }
	_ = s.poll(true)
	if loads != 0 {
		t.Errorf("what has not changed is loaded %d times", loads)
	}
	for _, paths := range [][]string{{path, path}, {path + ".gone"}, {t.TempDir()}} {
		if contentDigest(paths) == contentDigest([]string{path}) {
			t.Errorf("%s looks like the file", strings.Join(paths, ", "))
		}
	}
}
