package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/controlplanetest"
)

const (
	keyNamespace = "keywright-system"
	account      = "system:serviceaccount:keywright-system:keywright-controller"
)

// cluster is a real API server that audits the requests of the controller, and the controller as a binary.
type cluster struct {
	envtest.Environment
	admin client.Client
	// asController has the permissions of config/rbac.
	asController *envtest.AuthenticatedUser
	directory    string
}

// directory has the binary of the controller and the files of the clusters.
var directory string

// pool has the unused clusters. Tests mostly wait, so several run in parallel, each on its own cluster.
var pool = make(chan *cluster, 64)

// clusters is the number of API servers.
var clusters = flag.Int("clusters", max(2, goruntime.GOMAXPROCS(0)), "how many API servers to run tests on at once")

// borrow returns a cluster that no other test uses, until the test ends. The first test that needs one starts them all.
// It skips the test if there is no control plane.
func borrow(t testing.TB) *cluster {
	t.Helper()
	controlplanetest.Check(t, startOnce())
	c := <-pool
	t.Cleanup(func() { pool <- c })
	return c
}

func TestMain(m *testing.M) {
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	code, err := runIn(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func runIn(m *testing.M) (code int, err error) {
	if directory, err = os.MkdirTemp("", "keywright-controller-"); err != nil {
		return 0, err
	}
	code = m.Run()
	for _, c := range started {
		err = errors.Join(err, c.Stop())
	}
	return code, errors.Join(err, os.RemoveAll(directory))
}

// built returns the released controller.
var built = sync.OnceValues(func() (binary string, err error) {
	binary = filepath.Join(directory, "controller")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the controller: %w\n%s", err, out)
	}
	return binary, nil
})

// started are the clusters to stop at the end.
var started []*cluster

var startOnce = sync.OnceValue(func() error {
	assets, err := controlplanetest.Find()
	if err != nil {
		return err
	}
	for i := range *clusters {
		c := &cluster{directory: filepath.Join(directory, strconv.Itoa(i))}
		c.BinaryAssetsDirectory = assets
		started = append(started, c)
		if err := c.start(); err != nil {
			return fmt.Errorf("start the API server: %w", err)
		}
		pool <- c
	}
	return nil
})

func (c *cluster) file(name string) string { return filepath.Join(c.directory, name) }

// auditPolicy logs every request of the controller once, when it is completed, without bodies.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
  users: ["` + account + `", "` + floorAccount + `", "` + peerAccount + `"]
- level: None
`

func (c *cluster) start() error {
	if err := os.Mkdir(c.directory, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(c.file("audit.yaml"), []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	c.CRDInstallOptions.Paths = []string{filepath.Join("..", "..", "config", "crd")}
	c.ControlPlane.GetAPIServer().Configure().
		Append("audit-policy-file", c.file("audit.yaml")).Append("audit-log-path", c.file("audit.log"))
	config, err := c.Start()
	if err != nil {
		return err
	}
	config.QPS = -1
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), keywrightv1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	if c.admin, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	c.asController, err = c.AddUser(envtest.User{Name: account, Groups: []string{
		"system:serviceaccounts", "system:serviceaccounts:" + keyNamespace, "system:authenticated",
	}}, nil)
	if err != nil {
		return err
	}
	admin, err := c.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return err
	}
	return errors.Join(c.save(c.asController, "kubeconfig"), c.save(admin, "admin.kubeconfig"))
}

func (c *cluster) save(user *envtest.AuthenticatedUser, name string) error {
	b, err := user.KubeConfig()
	if err != nil {
		return err
	}
	return os.WriteFile(c.file(name), b, 0o600)
}
