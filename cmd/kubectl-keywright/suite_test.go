package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/controlplanetest"
	"github.com/keywright/keywright/issuer/login"
)

// cluster is a real API server with a running controller, once a test has asked for it by withCluster.
var cluster struct {
	envtest.Environment
	admin      client.Client
	directory  string
	kubeconfig string
	binary     string
	controller *exec.Cmd
}

// withCluster starts the cluster for the first test that needs it. Without a control plane the test is skipped.
func withCluster(t testing.TB) {
	t.Helper()
	controlplanetest.Check(t, startOnce())
}

var startOnce = sync.OnceValue(startCluster)

func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], []string{login.WorkerCommand}) { // what the issuer starts to hash passwords
		if login.Work(os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	ctrl.SetLogger(logr.Discard())
	code := m.Run()
	if err := stopCluster(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func startCluster() (err error) {
	c := &cluster
	if c.BinaryAssetsDirectory, err = controlplanetest.Find(); err != nil {
		return err
	}
	if c.directory, err = os.MkdirTemp("", "kubectl-keywright-"); err != nil {
		return err
	}
	c.CRDInstallOptions.Paths = []string{filepath.Join("..", "..", "config", "crd")}
	config, err := c.Start()
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), keywrightv1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	if c.admin, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if c.kubeconfig, err = kubeconfigOf("admin", "system:masters"); err != nil {
		return err
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "keywright-system"}}
	if err := c.admin.Create(context.Background(), ns); err != nil {
		return err
	}
	c.binary = filepath.Join(c.directory, "controller")
	if out, err := exec.Command("go", "build", "-o", c.binary, "../controller").CombinedOutput(); err != nil {
		return fmt.Errorf("build the controller: %w\n%s", err, out)
	}
	return startController()
}

// stopCluster stops what startCluster has started, however far it came.
func stopCluster() (err error) {
	if cluster.directory == "" {
		return nil
	}
	if cluster.controller != nil && cluster.controller.Process != nil {
		err = stopController()
	}
	return errors.Join(err, cluster.Stop(), os.RemoveAll(cluster.directory))
}

// startController starts a controller, which works at once if nobody holds the Lease.
func startController() error {
	cluster.controller = exec.Command(cluster.binary, "--kubeconfig", cluster.kubeconfig, "--metrics-bind-address=", "--health-probe-bind-address=")
	return cluster.controller.Start()
}

// stopController has the controller end as Kubernetes would, by which it gives up the Lease.
func stopController() error {
	if err := cluster.controller.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	_ = cluster.controller.Wait() // how it ends is not the matter here
	return nil
}

// kubeconfigOf writes a kubeconfig for a user with some groups.
func kubeconfigOf(name string, groups ...string) (string, error) {
	user, err := cluster.AddUser(envtest.User{Name: name, Groups: groups}, nil)
	if err != nil {
		return "", err
	}
	b, err := user.KubeConfig()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cluster.directory, name+".kubeconfig")
	return path, os.WriteFile(path, b, 0o600)
}
