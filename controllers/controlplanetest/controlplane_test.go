package controlplanetest

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// checkout creates a repository that pins a version, and runs the test in one of its packages.
func checkout(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "hack", "controlplane", "kubernetes", "go.mod"), "require k8s.io/kubernetes v1.2.3 // indirect\n", 0o600)
	inside := filepath.Join(root, "some", "package")
	if err := os.MkdirAll(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(inside)
	t.Setenv("KUBEBUILDER_ASSETS", "")
	return root
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), mode)); err != nil {
		t.Fatal(err)
	}
}

func fill(t *testing.T, directory string) string {
	t.Helper()
	for _, name := range []string{"etcd", "kube-apiserver", "kubectl"} {
		write(t, filepath.Join(directory, name), "", 0o700)
	}
	return directory
}

func TestFind(t *testing.T) {
	root := checkout(t)
	want := func(want string) {
		t.Helper()
		if got, err := find(); got != want || (want == "") != errors.Is(err, ErrMissing) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	fill(t, filepath.Join(root, "bin", "controlplane", "v1.2.2"))
	want("") // another version
	downloaded := fill(t, filepath.Join(root, "bin", "envtest", "k8s", "1.2.3-"+runtime.GOOS+"-"+runtime.GOARCH))
	want(downloaded)
	built := fill(t, filepath.Join(root, "bin", "controlplane", "v1.2.3"))
	want(built)
	if err := os.Chmod(filepath.Join(built, "kubectl"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(downloaded) // the other one is not complete
	named := fill(t, t.TempDir())
	t.Setenv("KUBEBUILDER_ASSETS", named)
	want(named)
	t.Setenv("KUBEBUILDER_ASSETS", root)
	if _, err := find(); err == nil || errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "has no etcd") {
		t.Errorf("KUBEBUILDER_ASSETS names a directory without binaries: %v", err)
	}
}

// outcome is a test that records its outcome.
type outcome struct {
	testing.TB
	skipped, failed bool
}

func (o *outcome) Helper()      {}
func (o *outcome) Skip(...any)  { o.skipped = true }
func (o *outcome) Fatal(...any) { o.failed = true }

func TestTestsAreSkippedUnlessAControlPlaneIsRequired(t *testing.T) {
	for _, c := range []struct {
		required        string
		err             error
		skipped, failed bool
	}{
		{"", nil, false, false},
		{"", ErrMissing, true, false},
		{"", errors.New("etcd does not start"), false, true},
		{"1", ErrMissing, false, true},
	} {
		t.Setenv("REQUIRE_CONTROLPLANE", c.required)
		var o outcome
		Check(&o, c.err)
		if o.skipped != c.skipped || (o.failed && !o.skipped) != c.failed {
			t.Errorf("REQUIRE_CONTROLPLANE=%q, %v: skipped %v, failed %v", c.required, c.err, o.skipped, o.failed)
		}
	}
}

// hack/controlplane has the version in two places, which must be equal.
func TestVersionIsTheOneThatIsMade(t *testing.T) {
	root, pinned, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(root, "hack", "controlplane", "main.go"))
	if err != nil || !strings.Contains(string(b), `const version = "`+pinned+`"`) {
		t.Errorf("hack/controlplane/main.go does not make %s: %v", pinned, err)
	}
}
