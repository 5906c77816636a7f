package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// node is the cluster that the test made, or the one that KUBECONFIG named.
type node struct {
	kubeconfig string
	// program is hack/cluster, empty for a cluster of somebody else's.
	program string
}

// haveNode returns a cluster with images, and takes it down at the end if it made it.
func haveNode(t *testing.T, images []string) *node {
	t.Helper()
	if theirs := os.Getenv("KUBECONFIG"); theirs != "" {
		return &node{kubeconfig: theirs}
	}
	n := &node{program: filepath.Join(t.TempDir(), "cluster")}
	build := exec.Command("go", "build", "-o", n.program, ".")
	build.Dir = filepath.Join("..", "cluster")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build hack/cluster: %v\n%s", err, out)
	}
	if out, err := exec.Command(n.program, "check").CombinedOutput(); err != nil {
		if os.Getenv("REQUIRE_NODE") != "" {
			t.Fatalf("%s", out)
		}
		t.Skipf("no node can run here, and KUBECONFIG names none: %s", out)
	}
	assets, binaries := os.Getenv("KUBEBUILDER_ASSETS"), os.Getenv("NODE_ASSETS")
	if assets == "" || binaries == "" {
		t.Fatal("KUBEBUILDER_ASSETS and NODE_ASSETS name the binaries: `make e2e` sets them")
	}
	out := n.run(t, "-controlplane", assets, "-node", binaries, "-sync", "1s", "-images", strings.Join(images, ","), "up")
	t.Cleanup(func() { n.run(t, "down") })
	n.kubeconfig = strings.TrimSpace(out)
	return n
}

// run has hack/cluster do something.
func (n *node) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(n.program, args...)
	cmd.Dir = filepath.Join("..", "cluster")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cluster %s: %v\n%s", strings.Join(args, " "), err, said.String())
	}
	t.Logf("%s", said.String())
	return string(out)
}

// ours reports whether the test may stop parts of the cluster.
func (n *node) ours() bool { return n.program != "" }
