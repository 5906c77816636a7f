package main

import (
	"context"
	"errors"
	"fmt"
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
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/fetcher/handover"
	"github.com/keywright/keywright/controllers"
	"github.com/keywright/keywright/controllers/controlplanetest"
)

const keyNamespace = "keywright-system"

// cluster is a real API server, with the controller and the fetcher.
var cluster struct {
	envtest.Environment
	admin client.Client
	stop  context.CancelFunc
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
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), keywrightv1alpha1.AddToScheme(scheme)); err != nil {
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
	controller, err := controllers.NewManager(config, controllers.Options{KeyNamespace: keyNamespace, Now: time.Now})
	if err != nil {
		return err
	}
	fetcher, err := handover.NewManager(config, handover.Options{KeyNamespace: keyNamespace, Now: time.Now})
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

// admin returns a client that may do everything. Without an API server the test is skipped.
func admin(t *testing.T) client.Client {
	t.Helper()
	controlplanetest.Check(t, startOnce())
	return cluster.admin
}
