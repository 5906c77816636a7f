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

// ErrMissing is returned if there is no control plane and KUBEBUILDER_ASSETS is not set.
var ErrMissing = errors.New("no control plane found: run `make controlplane`, or set KUBEBUILDER_ASSETS to a directory with " +
	"etcd, kube-apiserver and kubectl")

// ErrShort is returned with -short, which starts no API server.
var ErrShort = errors.New("-short skips tests that need an API server")

// Directory returns the directory of the binaries. If there is none, it skips or fails the test as Check does.
func Directory(t testing.TB) string {
	t.Helper()
	directory, err := Find()
	Check(t, err)
	return directory
}

// Check skips a test if err is ErrShort, or ErrMissing without REQUIRE_CONTROLPLANE. It fails the test for other errors.
func Check(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrShort) || errors.Is(err, ErrMissing) && os.Getenv("REQUIRE_CONTROLPLANE") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Find returns the directory KUBEBUILDER_ASSETS, or else the one in bin/ that `make controlplane` has built for the
// Kubernetes version of hack/controlplane. It returns ErrShort with -short, and ErrMissing if the variable is not set and
// bin/ has none.
func Find() (string, error) {
	if testing.Short() {
		return "", ErrShort
	}
	return find()
}

func find() (string, error) {
	if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" {
		if missing := missingBinary(assets); missing != "" {
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
		if missingBinary(directory) == "" {
			return directory, nil
		}
	}
	return "", ErrMissing
}

// missingBinary returns the first binary that a directory does not have, empty if it has all.
func missingBinary(directory string) string {
	for _, name := range []string{"etcd", "kube-apiserver", "kubectl"} {
		if f, err := os.Stat(filepath.Join(directory, name)); err != nil || f.IsDir() || f.Mode()&0o111 == 0 {
			return name
		}
	}
	return ""
}

var requirement = regexp.MustCompile(`(?m)k8s\.io/kubernetes v(\S+)`)

// repository returns the root of the checkout in which the tests run, and its pinned Kubernetes version.
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
