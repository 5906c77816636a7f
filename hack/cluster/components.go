package main

import "path/filepath"

// component is one process of the cluster.
type component struct {
	name    string
	command []string
}

// components are all of them, in the order in which they start. None waits for another: each asks again until it is answered.
func (c *cluster) components() []component {
	const etcd, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
	return []component{
		c.component("etcd", c.controlPlane, "--name=etcd", "--data-dir="+c.path("etcd"), "--unsafe-no-fsync", "--log-level=warn",
			"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
			"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=etcd="+peer),
		c.apiServer(etcd),
		c.component("containerd", c.node, "--config="+c.path("containerd.toml")),
		c.component("kubelet", c.node, "--config="+c.path("kubelet.yaml"), "--kubeconfig="+c.path("kubeconfig", "kubelet"),
			"--root-dir=/var/lib/kubelet", "--hostname-override="+nodeName, "--node-ip="+nodeIP),
		c.component("kube-controller-manager", c.node, append(c.user("controller-manager"),
			"--use-service-account-credentials=true", "--service-account-private-key-file="+c.path("pki", "service-accounts.key"),
			"--root-ca-file="+c.path("pki", "ca.crt"), "--client-ca-file="+c.path("pki", "ca.crt"),
			"--requestheader-client-ca-file="+c.path("pki", "front-proxy-ca.crt"),
			"--cluster-signing-cert-file="+c.path("pki", "ca.crt"), "--cluster-signing-key-file="+c.path("pki", "ca.key"),
			"--node-monitor-grace-period=5m0s", // a node is not lost because the API server was away for a minute
			"--allocate-node-cidrs=false", "--kube-api-qps=500", "--kube-api-burst=1000")...),
		c.component("kube-scheduler", c.node, c.user("scheduler")...),
		c.component("kube-proxy", c.node, "--config="+c.path("kube-proxy.yaml")),
		c.component("coredns", c.node, "-conf="+c.path("Corefile")),
	}
}

func (c *cluster) component(name, directory string, args ...string) component {
	return component{name, append([]string{filepath.Join(directory, name)}, args...)}
}

// user are the flags of a component that is alone and acts as a user.
func (c *cluster) user(name string) []string {
	kubeconfig := c.path("kubeconfig", name)
	return []string{
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--leader-elect=false", "--bind-address=127.0.0.1",
	}
}

func (c *cluster) apiServer(etcd string) component {
	pki := func(name string) string { return c.path("pki", name) }
	return c.component("kube-apiserver", c.controlPlane,
		"--etcd-servers="+etcd, "--bind-address="+nodeIP, "--advertise-address="+nodeIP, "--secure-port=6443",
		"--service-cluster-ip-range="+serviceCIDR, "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true", "--anonymous-auth=true",
		"--client-ca-file="+pki("ca.crt"), "--tls-cert-file="+pki("apiserver.crt"), "--tls-private-key-file="+pki("apiserver.key"),
		"--kubelet-client-certificate="+pki("apiserver-kubelet-client.crt"), "--kubelet-client-key="+pki("apiserver-kubelet-client.key"),
		"--kubelet-certificate-authority="+pki("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+pki("service-accounts.crt"), "--service-account-signing-key-file="+pki("service-accounts.key"),
		"--requestheader-client-ca-file="+pki("front-proxy-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--proxy-client-cert-file="+pki("front-proxy-client.crt"), "--proxy-client-key-file="+pki("front-proxy-client.key"),
	)
}
