package mounted_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/keywright/keywright/verifier/internal/mounted"
)

func TestVolumeChangesAsAKubeletChangesIt(t *testing.T) {
	v := mounted.Volume{Directory: t.TempDir()}
	write := func(files map[string][]byte) {
		t.Helper()
		if err := v.Write(files); err != nil {
			t.Fatal(err)
		}
	}
	write(map[string][]byte{"a": []byte("1"), "b": []byte("1")})
	first, err := filepath.EvalSymlinks(v.Path("a"))
	if err != nil {
		t.Fatal(err)
	}
	write(map[string][]byte{"a": []byte("1"), "b": []byte("1")})
	if same, err := filepath.EvalSymlinks(v.Path("a")); err != nil || same != first {
		t.Errorf("equal files are written again: %s %s %v", first, same, err)
	}
	write(map[string][]byte{"a": []byte("2"), "c": []byte("2")})
	if content, err := os.ReadFile(v.Path("a")); err != nil || string(content) != "2" {
		t.Errorf("%s %v", content, err)
	}
	for _, gone := range []string{first, v.Path("b")} {
		if _, err := os.Lstat(gone); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", gone, err)
		}
	}
	if link, err := os.Readlink(v.Path("c")); err != nil || link != filepath.Join("..data", "c") {
		t.Errorf("%s %v", link, err)
	}
}
