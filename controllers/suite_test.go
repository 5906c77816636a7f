package controllers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/controlplanetest"
)

// environment is one real etcd and kube-apiserver for all tests of this package. The first test that needs it starts
// it.
var environment struct {
	envtest.Environment
	config *rest.Config
	scheme *runtime.Scheme
}

var startOnce = sync.OnceValue(start)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	code := m.Run()
	if environment.config != nil {
		if err := environment.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the API server:", err)
			code = 1
		}
	}
	os.Exit(code)
}

func start() (err error) {
	e := &environment
	if e.BinaryAssetsDirectory, err = controlplanetest.Find(); err != nil {
		return err
	}
	e.scheme = runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(e.scheme), keywrightv1alpha1.AddToScheme(e.scheme)); err != nil {
		return err
	}
	e.CRDInstallOptions.Paths = []string{filepath.Join("..", "config", "crd")}
	config, err := e.Start()
	if err != nil {
		return errors.Join(fmt.Errorf("start the API server: %w", err), e.Stop())
	}
	config.QPS = -1
	e.config = config
	return nil
}

// admin returns a client with all permissions and without a cache. It skips the test if there is no API server.
func admin(t *testing.T) client.Client {
	t.Helper()
	controlplanetest.Check(t, startOnce())
	c, err := client.New(environment.config, client.Options{Scheme: environment.scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
