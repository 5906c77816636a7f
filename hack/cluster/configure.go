package main

import (
	"embed"
	"fmt"
	"os"
	"text/template"
)

// files are the configurations of the components, with {{.}} where they depend on the cluster.
//
//go:embed files
var files embed.FS

// configure writes the configuration of each component, and a kubeconfig for each of their users.
func (c *cluster) configure() error {
	for name, to := range map[string]string{
		"containerd.toml": "containerd.toml", "bridge.conflist": "cni/10-bridge.conflist", "kubelet.yaml": "kubelet.yaml",
		"kube-proxy.yaml": "kube-proxy.yaml", "Corefile": "Corefile", "resolv.conf": "resolv.conf",
	} {
		if err := c.write(name, to, c.values()); err != nil {
			return err
		}
	}
	for _, user := range []string{"admin", "controller-manager", "scheduler", "proxy", "dns", "kubelet"} {
		values := c.values()
		values["User"] = user
		if err := c.write("kubeconfig.yaml", "kubeconfig/"+user, values); err != nil {
			return err
		}
	}
	return nil
}

// values are what the files ask for.
func (c *cluster) values() map[string]string {
	values := map[string]string{
		"State": c.state, "Node": c.node, "NodeName": nodeName, "NodeIP": nodeIP, "PodCIDR": podCIDR, "Pause": pauseImage,
		"API": apiServer, "PKI": c.path("pki"),
	}
	if c.sync > 0 {
		values["Sync"] = c.sync.String()
	}
	return values
}

func (c *cluster) write(name, to string, values map[string]string) error {
	t, err := template.New(name).Option("missingkey=zero").ParseFS(files, "files/"+name)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(c.path(to), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := t.Execute(f, values); err != nil {
		return fmt.Errorf("write %s: %w", to, err)
	}
	return f.Close()
}
