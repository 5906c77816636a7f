package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/fetcher/handover"
	"github.com/keywright/keywright/controllers"
	"github.com/keywright/keywright/controllers/controlplanetest"
)

const keyNamespace = "keywright-system"

// cluster is a real API server with the controller and the fetcher.
var cluster environment

type environment struct {
	envtest.Environment
	admin client.Client
	// asFetcher has the permissions of config/fetcher.
	asFetcher client.Client
	stop      context.CancelFunc
}

var startOnce = sync.OnceValue(start)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	code := m.Run()
	if cluster.stop != nil {
		cluster.stop()
	}
	if cluster.admin != nil {
		if err := cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func start() (err error) {
	c := &cluster
	if c.BinaryAssetsDirectory, err = controlplanetest.Find(); err != nil {
		return err
	}
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	c.CRDInstallOptions.Paths = []string{filepath.Join("..", "..", "config", "crd")}
	config, err := c.Start()
	if err != nil {
		return errors.Join(fmt.Errorf("start the API server: %w", err), c.Stop())
	}
	config.QPS = -1
	if c.admin, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	var ctx context.Context
	ctx, c.stop = context.WithCancel(context.Background())
	if err := c.admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: keyNamespace}}); err != nil {
		return err
	}
	for _, part := range []string{"rbac", "fetcher", "policy"} {
		if err := c.apply(ctx, part); err != nil {
			return err
		}
	}
	asController, err := c.account("keywright-controller")
	if err != nil {
		return err
	}
	asFetcher, err := c.account("keywright-fetcher")
	if err != nil {
		return err
	}
	if c.asFetcher, err = client.New(asFetcher, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	controller, err := controllers.NewManager(asController, controllers.Options{KeyNamespace: keyNamespace, Now: time.Now})
	if err != nil {
		return err
	}
	fetcher, err := handover.NewManager(asFetcher, handover.Options{KeyNamespace: keyNamespace, LeaderElect: true, Now: time.Now})
	if err != nil {
		return err
	}
	for _, mgr := range []ctrl.Manager{controller, fetcher} {
		go func() {
			if err := mgr.Start(ctx); err != nil {
				panic(err)
			}
		}()
	}
	return nil
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	return scheme, errors.Join(clientgoscheme.AddToScheme(scheme), keywrightv1alpha1.AddToScheme(scheme))
}

// apply applies one base of config/.
func (c *environment) apply(ctx context.Context, part string) error {
	user, err := c.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return err
	}
	kubectl, err := user.Kubectl()
	if err != nil {
		return err
	}
	out, complaint, err := kubectl.Run("apply", "-k", filepath.Join("..", "..", "config", part))
	if err != nil {
		read, _ := io.ReadAll(io.MultiReader(out, complaint))
		return fmt.Errorf("apply config/%s: %w\n%s", part, err, read)
	}
	return ctx.Err()
}

// account returns a configuration of a ServiceAccount in the key namespace.
func (c *environment) account(name string) (*rest.Config, error) {
	user, err := c.AddUser(envtest.User{Name: "system:serviceaccount:" + keyNamespace + ":" + name, Groups: []string{
		"system:serviceaccounts", "system:serviceaccounts:" + keyNamespace, "system:authenticated",
	}}, nil)
	if err != nil {
		return nil, err
	}
	config := user.Config()
	config.QPS = -1
	return config, nil
}

// admin returns a client with all permissions. It skips the test if there is no API server.
func admin(t *testing.T) client.Client {
	t.Helper()
	controlplanetest.Check(t, startOnce())
	return cluster.admin
}
