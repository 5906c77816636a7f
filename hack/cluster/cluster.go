package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// All addresses are in the cluster's own network namespace, but for hostIP, the host's end of the wire to it.
const (
	nodeName       = "node1"
	nodeIP, hostIP = "10.213.0.2", "10.213.0.1"
	podCIDR        = "10.214.0.0/24"
	serviceCIDR    = "10.96.0.0/16"
	kubernetesIP   = "10.96.0.1"
	wire           = "keywright0"
	apiServer      = "https://" + nodeIP + ":6443"
	pauseImage     = "docker.io/library/pause:1"
)

// cluster is where a cluster is, and what it is made of.
type cluster struct {
	state, controlPlane, node string
	sync                      time.Duration
	images                    []string
}

// path names a file of the cluster.
func (c *cluster) path(elements ...string) string {
	return filepath.Join(append([]string{c.state}, elements...)...)
}

// check says why this machine cannot run a cluster, nil if it can.
func check() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("a node runs on Linux, and this is %s", runtime.GOOS)
	}
	if os.Getuid() != 0 {
		return fmt.Errorf("a node needs root, for namespaces, mounts and cgroups: this is user %d", os.Getuid())
	}
	if _, err := exec.LookPath("nft"); err != nil {
		return fmt.Errorf("kube-proxy needs nft, of the package nftables: %w", err)
	}
	if err := unshareable(); err != nil {
		return fmt.Errorf("the kernel refuses to create namespaces: %w", err)
	}
	return nil
}
