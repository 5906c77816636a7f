// Command controlplane prints a directory that holds etcd, kube-apiserver and kubectl, the real ones, for tests and the
// demo. It takes what KUBEBUILDER_ASSETS names, else what an earlier run left in bin/, else what setup-envtest can
// download, else it builds them from the Go module proxy. What it does and how far it is goes to standard error.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// version is the Kubernetes version of all binaries, as pinned in kubernetes/go.mod.
const version = "1.37.2"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	directory, err := find(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(1)
	}
	fmt.Println(directory)
}

// find returns the first directory that has all binaries.
func find(ctx context.Context) (string, error) {
	if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" {
		if missing := missing(assets); missing != "" {
			return "", fmt.Errorf("KUBEBUILDER_ASSETS is %s, which has no %s: correct it, or unset it to have one made", assets, missing)
		}
		return assets, nil
	}
	root, err := repository()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(root, "bin")
	cached := filepath.Join(bin, "controlplane", "v"+version)
	if missing(cached) == "" {
		return cached, nil
	}
	unlock, err := lock(filepath.Join(bin, "controlplane.lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if missing(cached) == "" {
		return cached, nil // another run made it while this one waited
	}
	if directory, ok := download(ctx, root); ok {
		return directory, nil
	}
	return cached, build(ctx, filepath.Join(root, "hack", "controlplane", "kubernetes"), cached)
}

// missing names the first binary that a directory lacks, empty if it has all.
func missing(directory string) string {
	for _, name := range []string{"etcd", "kube-apiserver", "kubectl"} {
		if s, err := os.Stat(filepath.Join(directory, name)); err != nil || s.IsDir() || s.Mode()&0o111 == 0 {
			return name
		}
	}
	return ""
}

// repository is the root of the checkout, which this command is run in.
func repository() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for root := here; ; root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "hack", "controlplane", "kubernetes", "go.mod")); err == nil {
			return root, nil
		}
		if root == filepath.Dir(root) {
			return "", fmt.Errorf("%s is not in the Keywright repository: run `go -C hack/controlplane run .` from its root", here)
		}
	}
}

// lock keeps two runs from doing the same work. The kernel lets it go when the process ends, however it ends.
func lock(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		say("another run is at it, waiting for it")
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
	return func() { _ = f.Close() }, nil
}

// say reports progress.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "controlplane: "+format+"\n", args...)
}

func seconds(since time.Time) string { return time.Since(since).Round(time.Second).String() }
