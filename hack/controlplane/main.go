// Command controlplane prints a directory that holds etcd, kube-apiserver and kubectl, the real ones, for tests and the
// demo. It takes what KUBEBUILDER_ASSETS names, else what an earlier run left in bin/, else what setup-envtest can
// download, else it builds them from the Go module proxy. With -node it prints where the other binaries of a whole cluster are,
// which it builds if bin/ has none. What it does and how far it is goes to standard error.
package main

import (
	"context"
	"flag"
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
	ofNode := flag.Bool("node", false, "the binaries of a node: kubelet, containerd and the like")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	directory, err := find(ctx, *ofNode)
	if err != nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(1)
	}
	fmt.Println(directory)
}

// find returns the first directory that has all binaries of a set.
func find(ctx context.Context, ofNode bool) (string, error) {
	wanted, name := controlPlane(), "controlplane"
	if ofNode {
		wanted, name = node(), "node"
	}
	if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" && !ofNode {
		if missing := wanted.missing(assets); missing != "" {
			return "", fmt.Errorf("KUBEBUILDER_ASSETS is %s, which has no %s: correct it, or unset it to have one made", assets, missing)
		}
		return assets, nil
	}
	root, err := repository()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(root, "bin")
	cached := filepath.Join(bin, name, "v"+version)
	if wanted.missing(cached) == "" {
		return cached, nil
	}
	unlock, err := lock(filepath.Join(bin, name+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if wanted.missing(cached) == "" {
		return cached, nil // another run made it while this one waited
	}
	if !ofNode {
		if directory, ok := download(ctx, root); ok {
			return directory, nil
		}
	}
	return cached, wanted.build(ctx, filepath.Join(root, "hack", "controlplane"), cached)
}

// missing names the first binary that a directory lacks, empty if it has all.
func (s set) missing(directory string) string {
	for _, b := range s.binaries {
		if f, err := os.Stat(filepath.Join(directory, b.name)); err != nil || f.IsDir() || f.Mode()&0o111 == 0 {
			return b.name
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
		say("another process is doing this: waiting for it")
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
