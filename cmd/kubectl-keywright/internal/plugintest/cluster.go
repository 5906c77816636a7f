package plugintest

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
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/controllers/controlplanetest"
	"github.com/keywright/keywright/issuer/login"
)

// cluster is the API server with a controller, after the first call of StartCluster.
var cluster struct {
	envtest.Environment
	admin      client.Client
	directory  string
	kubeconfig string
	binary     string
	controller *exec.Cmd
	commands   []func(*cli.Env) *cobra.Command
}

// StartCluster starts the cluster for the first test that needs it. It skips the test if there is no control plane.
func StartCluster(t testing.TB) {
	t.Helper()
	controlplanetest.Check(t, startOnce())
}

var startOnce = sync.OnceValue(startCluster)

// Main runs the tests of a package with the given commands, and then stops the cluster.
func Main(m *testing.M, commands ...func(*cli.Env) *cobra.Command) {
	if slices.Equal(os.Args[1:], []string{login.WorkerCommand}) { // the issuer starts its own binary to hash passwords
		if login.Work(os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	ctrl.SetLogger(logr.Discard())
	cluster.commands = commands
	code := m.Run()
	if err := stopCluster(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// Admin returns a client of the cluster with all permissions.
func Admin() client.Client { return cluster.admin }

// Kubeconfig returns the path of a kubeconfig with all permissions.
func Kubeconfig() string { return cluster.kubeconfig }

// Kubectl returns the path of kubectl, of the version of the API server.
func Kubectl() string { return filepath.Join(cluster.BinaryAssetsDirectory, "kubectl") }

func startCluster() (err error) {
	c := &cluster
	if c.BinaryAssetsDirectory, err = controlplanetest.Find(); err != nil {
		return err
	}
	if c.directory, err = os.MkdirTemp("", "kubectl-keywright-"); err != nil {
		return err
	}
	root, err := Repository()
	if err != nil {
		return err
	}
	c.CRDInstallOptions.Paths = []string{filepath.Join(root, "config", "crd")}
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
	if c.kubeconfig, err = KubeconfigFor("admin", "system:masters"); err != nil {
		return err
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: cli.DefaultKeyNamespace}}
	if err := c.admin.Create(context.Background(), ns); err != nil {
		return err
	}
	if c.binary, err = build("controller"); err != nil {
		return err
	}
	return startController()
}

// build builds a program of cmd, and returns the path of the binary.
func build(program string) (string, error) {
	path := filepath.Join(cluster.directory, program)
	out, err := exec.Command("go", "build", "-o", path, "github.com/keywright/keywright/cmd/"+program).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", program, err, out)
	}
	return path, nil
}

// stopCluster stops what startCluster has started, also if that failed.
func stopCluster() (err error) {
	if cluster.directory == "" {
		return nil
	}
	if cluster.controller != nil && cluster.controller.Process != nil {
		err = stopController()
	}
	return errors.Join(err, cluster.Stop(), os.RemoveAll(cluster.directory))
}

// startController starts a controller, which becomes the leader at once if no other holds the Lease.
func startController() error {
	cluster.controller = exec.Command(cluster.binary, "--kubeconfig", cluster.kubeconfig, "--metrics-bind-address=", "--health-probe-bind-address=")
	return cluster.controller.Start()
}

// stopController stops the controller as Kubernetes does, so that it releases the Lease.
func stopController() error {
	if err := cluster.controller.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	_ = cluster.controller.Wait() // the exit code does not matter here
	return nil
}

// KubeconfigFor returns the path of a kubeconfig for a user with some groups.
func KubeconfigFor(name string, groups ...string) (string, error) {
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

// Repository returns the root of the checkout that the tests run in.
func Repository() (string, error) {
	directory, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(directory, "go.mod")); err == nil {
			return directory, nil
		}
		parent := filepath.Dir(directory)
		if parent == directory {
			return "", errors.New("the tests do not run in a checkout")
		}
		directory = parent
	}
}
