package mount_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keywright/keywright/issuer/mount"
)

func TestSourceKeepsTheLastGoodValue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write := func(content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	loads := 0
	var reports []error
	s := mount.New("it", []string{path}, func() (string, error) {
		loads++
		b, err := mount.Read(path, 10)
		if err == nil && strings.HasPrefix(string(b), "bad") {
			err = errors.New(string(b))
		}
		return string(b), err
	}, func(_ string, err error) { reports = append(reports, err) })
	if _, ok := s.Get(); ok {
		t.Error("a value before any was loaded")
	}
	if err := s.Poll(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	write("one")
	for range 3 {
		if err := s.Poll(); err != nil {
			t.Fatal(err)
		}
	}
	if v, ok := s.Get(); v != "one" || !ok || loads != 2 {
		t.Errorf("%q after %d loads", v, loads)
	}
	write("bad 1")
	_, _ = s.Poll(), s.Poll()
	write("bad 22")
	_ = s.Poll()
	write("much too long")
	_ = s.Poll()
	if v, _ := s.Get(); v != "one" {
		t.Errorf("the last good value is %q", v)
	}
	write("one")
	if err := s.Poll(); err != nil {
		t.Fatal(err)
	}
	failures := 0
	for _, err := range reports {
		if err != nil {
			failures++
		}
	}
	if failures != 4 || len(reports) != 6 {
		t.Errorf("each new problem must be reported once, and each load: %v", reports)
	}
}

func TestVersionFollowsTheLink(t *testing.T) {
	directory := t.TempDir()
	if got := mount.Version(directory); got != directory {
		t.Errorf("a plain directory is read from %s", got)
	}
	if err := errors.Join(os.Mkdir(filepath.Join(directory, "..1"), 0o700), os.Symlink("..1", filepath.Join(directory, "..data"))); err != nil {
		t.Fatal(err)
	}
	if got := mount.Version(directory); filepath.Base(got) != "..1" {
		t.Errorf("a mount is read from %s", got)
	}
}
