package reload_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keywright/keywright/issuer/reload"
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
	s := reload.New("it", []string{path}, func() (string, error) {
		loads++
		b, err := reload.Read(path, 10)
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

// What is broken is parsed again when it changes, at once, or else only now and then: a disk may have failed.
func TestWhatStaysBrokenIsSeldomTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "file")
		write := func(content string) {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var loads atomic.Int32
		var broken atomic.Bool
		broken.Store(true)
		s := reload.New("it", []string{path}, func() (int32, error) {
			n := loads.Add(1)
			if broken.Load() {
				return 0, errors.New("broken")
			}
			return n, nil
		}, func(string, error) {})
		write("x")
		for range 2 {
			if err := s.Poll(); err == nil || loads.Load() != 1 {
				t.Errorf("%d loads of one broken file: %v", loads.Load(), err)
			}
		}
		go s.Run(t.Context(), 250*time.Millisecond)
		after := func(d time.Duration, want int32) {
			t.Helper()
			time.Sleep(d) // of the bubble's clock
			synctest.Wait()
			if n := loads.Load(); n != want {
				t.Errorf("%d loads, want %d", n, want)
			}
		}
		after(9*time.Second, 1)
		write("xx")
		after(260*time.Millisecond, 2)
		after(time.Second, 3) // 10 s are over
		broken.Store(false)   // and the files stay as they are
		after(10*time.Second, 4)
		after(time.Minute, 4)
		if v, ok := s.Get(); !ok || v != 4 {
			t.Errorf("the value is %d", v)
		}
	})
}

func TestVersionFollowsTheLink(t *testing.T) {
	directory := t.TempDir()
	if got := reload.Version(directory); got != directory {
		t.Errorf("a plain directory is read from %s", got)
	}
	if err := errors.Join(os.Mkdir(filepath.Join(directory, "..1"), 0o700), os.Symlink("..1", filepath.Join(directory, "..data"))); err != nil {
		t.Fatal(err)
	}
	if got := reload.Version(directory); filepath.Base(got) != "..1" {
		t.Errorf("a mount is read from %s", got)
	}
}
