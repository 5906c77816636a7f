package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

const (
	keyNamespace = "keywright-system"
	account      = "system:serviceaccount:keywright-system:keywright-controller"
	trusts       = "keywright.dev/verify"
)

// cluster is a real etcd and kube-apiserver.
type cluster struct {
	envtest.Environment
	admin client.Client
	// assets holds etcd, kube-apiserver and kubectl.
	assets string
}

// binaries returns where etcd, kube-apiserver and kubectl are, having them built if need be.
func binaries(ctx context.Context, root string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "run", ".")
	cmd.Dir, cmd.Stderr = filepath.Join(root, "hack", "controlplane"), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("get the control plane: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// start runs the control plane and installs the CRDs, the RBAC and the namespaces. It writes two kubeconfigs: kubeconfig for
// whoever watches, and controller.kubeconfig with the rights of the controller and no more.
func (c *cluster) begin(root, directory string) error {
	c.BinaryAssetsDirectory = c.assets
	c.CRDInstallOptions.Paths = []string{filepath.Join(root, "config", "crd")}
	config, err := c.Start()
	if err != nil {
		return fmt.Errorf("start the control plane: %w", err)
	}
	config.QPS = -1
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), keywrightv1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	if c.admin, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	return errors.Join(
		c.kubeconfig(filepath.Join(directory, "kubeconfig"), "demo", "system:masters"),
		c.kubeconfig(filepath.Join(directory, "controller.kubeconfig"), account,
			"system:serviceaccounts", "system:serviceaccounts:"+keyNamespace, "system:authenticated"),
	)
}

func (c *cluster) kubeconfig(path, user string, groups ...string) error {
	u, err := c.AddUser(envtest.User{Name: user, Groups: groups}, nil)
	if err != nil {
		return err
	}
	b, err := u.KubeConfig()
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// install applies what an operator applies, but for the Deployments: nothing here runs pods.
func (c *cluster) install(ctx context.Context, root string, targets ...string) error {
	for _, file := range []string{
		"default/namespace.yaml", "rbac/service_account.yaml", "rbac/role.yaml", "rbac/role_binding.yaml", "rbac/signingkey_roles.yaml",
		"policy/controller_token.yaml", "policy/jwks.yaml", "policy/key_mounts.yaml", "policy/key_namespace.yaml", "policy/pod_touch.yaml",
	} {
		if err := c.apply(ctx, filepath.Join(root, "config", filepath.FromSlash(file))); err != nil {
			return fmt.Errorf("apply %s: %w", file, err)
		}
	}
	for _, name := range targets {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{trusts: "true"}}}
		if err := c.admin.Create(ctx, ns); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) apply(ctx context.Context, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for documents := yaml.NewYAMLOrJSONDecoder(f, 4096); ; {
		var o unstructured.Unstructured
		if err := documents.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := c.admin.Create(ctx, &o); client.IgnoreAlreadyExists(err) != nil {
			return err
		}
	}
}
