package main

import "path"

// set is a directory of binaries that belong together.
type set struct {
	// name is what is told about it, and minutes how long it takes to build on two cores.
	name     string
	minutes  int
	binaries []binary
}

// binary is one command to build.
type binary struct {
	name, pkg string
	// module is the directory beside this one whose go.mod pins it.
	module        string
	ldflags, tags string
	cgo           bool
}

const (
	stripped  = "-s -w"
	versioned = stripped +
		" -X k8s.io/component-base/version.gitVersion=v" + version +
		" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37" +
		" -X k8s.io/client-go/pkg/version.gitVersion=v" + version
	// unneeded are the parts of containerd that would only add to the build.
	unneeded = "urfave_cli_no_docs no_btrfs no_devmapper no_zfs no_aufs no_dynamic_plugins"
)

// controlPlane is what most tests run: an API server, and nothing that runs pods.
func controlPlane() set {
	return set{name: "etcd, kube-apiserver and kubectl", minutes: 6, binaries: []binary{
		{name: "etcd", pkg: "go.etcd.io/etcd/server/v3", module: "kubernetes", ldflags: stripped},
		kubernetes("kube-apiserver"),
		kubernetes("kubectl"),
	}}
}

// node is what hack/cluster runs beside it: all that a Kubernetes node and a whole control plane have.
func node() set {
	all := set{name: "the binaries of a node", minutes: 7, binaries: []binary{
		kubernetes("kube-controller-manager"), kubernetes("kube-scheduler"), kubernetes("kubelet"), kubernetes("kube-proxy"),
		// runc needs C for its first steps in a namespace, and libseccomp for seccompProfile: RuntimeDefault.
		{name: "runc", pkg: "github.com/opencontainers/runc", module: "containers", ldflags: stripped, tags: "seccomp", cgo: true},
		{name: "coredns", pkg: ".", module: "dns", ldflags: stripped},
	}}
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr"} {
		all.binaries = append(all.binaries, binary{
			name: name, pkg: "github.com/containerd/containerd/v2/cmd/" + name, module: "containers", ldflags: stripped, tags: unneeded,
		})
	}
	for _, plugin := range []string{"main/bridge", "main/loopback", "ipam/host-local"} {
		all.binaries = append(all.binaries, binary{
			name: path.Join("cni", path.Base(plugin)), pkg: "github.com/containernetworking/plugins/plugins/" + plugin,
			module: "containers", ldflags: stripped,
		})
	}
	return all
}

func kubernetes(name string) binary {
	return binary{name: name, pkg: "k8s.io/kubernetes/cmd/" + name, module: "kubernetes", ldflags: versioned}
}
