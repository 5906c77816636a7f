package controlplanetest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"
)

// ErrMissing is returned when there is no control plane and nobody insists on one.
var ErrMissing = errors.New("there is no control plane: run `make controlplane`, or set KUBEBUILDER_ASSETS to a directory with " +
	"etcd, kube-apiserver and kubectl")

// ErrShort is returned with -short, which starts no API server.
var ErrShort = errors.New("-short leaves out tests that need an API server")

// Directory returns the directory of the binaries. It skips the test when there is none, and fails it when there has to be
// one: see Find.
func Directory(t testing.TB) string {
	t.Helper()
	directory, err := Find()
	Check(t, err)
	return directory
}

// Check skips a test if the error is ErrShort, or ErrMissing without REQUIRE_CONTROLPLANE, and fails it for any other error.
func Check(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrShort) || errors.Is(err, ErrMissing) && os.Getenv("REQUIRE_CONTROLPLANE") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Find returns the directory that KUBEBUILDER_ASSETS names, else the one in bin/ that `make controlplane` has left there for
// the Kubernetes version that hack/controlplane pins. The error is ErrMissing if the variable is not set and bin/ has none, and ErrShort with -short.
func Find() (string, error) {
	if testing.Short() {
		return "", ErrShort
	}
	return find()
}

func find() (string, error) {
	if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" {
		if missing := lacks(assets); missing != "" {
			return "", fmt.Errorf("KUBEBUILDER_ASSETS is %s, which has no %s: correct it, or unset it", assets, missing)
		}
		return assets, nil
	}
	root, pinned, err := repository()
	if err != nil {
		return "", err
	}
	for _, directory := range []string{
		filepath.Join(root, "bin", "controlplane", "v"+pinned),                                   // built
		filepath.Join(root, "bin", "envtest", "k8s", pinned+"-"+runtime.GOOS+"-"+runtime.GOARCH), // downloaded
	} {
		if lacks(directory) == "" {
			return directory, nil
		}
	}
	return "", ErrMissing
}

// lacks names the first binary that a directory does not have, empty if it has all.
func lacks(directory string) string {
	for _, name := range []string{"etcd", "kube-apiserver", "kubectl"} {
		if f, err := os.Stat(filepath.Join(directory, name)); err != nil || f.IsDir() || f.Mode()&0o111 == 0 {
			return name
		}
	}
	return ""
}

var requirement = regexp.MustCompile(`(?m)k8s\.io/kubernetes v(\S+)`)

// repository returns the root of the checkout that the tests run in, and the Kubernetes version that it pins.
func repository() (root, pinned string, err error) {
	here, err := os.Getwd()
	if err != nil {
		return "", "", err
	}
	for root = here; ; root = filepath.Dir(root) {
		b, err := os.ReadFile(filepath.Join(root, "hack", "controlplane", "kubernetes", "go.mod"))
		if found := requirement.FindSubmatch(b); err == nil && found != nil {
			return root, string(found[1]), nil
		}
		if root == filepath.Dir(root) {
			return "", "", fmt.Errorf("%s is not in the Keywright repository", here)
		}
	}
}
