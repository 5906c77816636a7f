package controllers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// environment is one real etcd and kube-apiserver for all tests of this package.
var environment struct {
	envtest.Environment
	config *rest.Config
	scheme *runtime.Scheme
}

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	code, err := runWithAPIServer(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func runWithAPIServer(m *testing.M) (code int, err error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return 0, errors.New("these tests need a real kube-apiserver: run `make test`, or set KUBEBUILDER_ASSETS to what " +
			"`go -C hack/controlplane run .` prints")
	}
	e := &environment
	e.scheme = runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(e.scheme), keywrightv1alpha1.AddToScheme(e.scheme)); err != nil {
		return 0, err
	}
	e.CRDInstallOptions.Paths = []string{filepath.Join("..", "config", "crd", "keywright.dev_signingkeys.yaml")}
	defer func() { err = errors.Join(err, e.Stop()) }()
	if e.config, err = e.Start(); err != nil {
		return 0, fmt.Errorf("start the API server: %w", err)
	}
	e.config.QPS = -1
	return m.Run(), nil
}

// admin returns a client that may do everything and caches nothing.
func admin(t *testing.T) client.Client {
	t.Helper()
	c, err := client.New(environment.config, client.Options{Scheme: environment.scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
