package chart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/keywright/keywright/controllers/controlplanetest"
)

const (
	root         = "../.."
	chart        = root + "/charts/keywright"
	issuerChart  = root + "/charts/keywright-issuer"
	keyNamespace = "keywright-system"
)

// helms are the versions of Helm that the chart is for.
var helms = []string{"helm3", "helm4"}

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	for _, helm := range helms {
		if _, err := os.Stat(filepath.Join(root, "bin", helm)); err != nil {
			fmt.Fprintf(os.Stderr, "%v: make bin/%s\n", err, helm)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// run runs a program, and returns what it printed, and for an error what it complained about.
func run(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(program), strings.Join(args, " "), err, out, complaint.Bytes())
	}
	return string(out), nil
}

// helm runs a version of Helm, which knows nothing of the user's own settings.
func helm(t *testing.T, version string, args ...string) (string, error) {
	t.Helper()
	return run(t.Context(), filepath.Join(root, "bin", version), args...)
}

// template renders the chart without a cluster.
func template(t *testing.T, version string, args ...string) (string, error) {
	t.Helper()
	return helm(t, version, append([]string{"template", "keywright", chart, "--namespace", keyNamespace, "--kube-version", "1.37.2"}, args...)...)
}

// objects reads a stream of YAML documents.
func objects(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for documents := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096); ; {
		o := &unstructured.Unstructured{}
		err := documents.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if len(o.Object) > 0 {
			all = append(all, o)
		}
	}
}

// title names an object as a person would.
func title(o *unstructured.Unstructured) string {
	return strings.TrimSpace(o.GetKind() + " " + strings.TrimPrefix(o.GetNamespace()+"/"+o.GetName(), "/"))
}

// cluster is a real etcd and kube-apiserver. Nothing runs pods there.
type cluster struct {
	envtest.Environment
	admin      client.Client
	kubeconfig string
	// running stops the controller.
	running atomic.Pointer[func()]
}

// start starts a cluster for a test. crds are those that it has from the beginning.
func start(t *testing.T, crds ...string) *cluster {
	t.Helper()
	return startWith(t, "", crds...)
}

// startWith starts a cluster whose API server has an AdmissionConfiguration, if there is one.
func startWith(t *testing.T, admission string, crds ...string) *cluster {
	t.Helper()
	c := &cluster{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	c.BinaryAssetsDirectory = controlplanetest.Directory(t)
	c.CRDInstallOptions.Paths = crds
	if admission != "" {
		file := filepath.Join(t.TempDir(), "admission.yaml")
		if err := os.WriteFile(file, []byte(admission), 0o600); err != nil {
			t.Fatal(err)
		}
		c.ControlPlane.GetAPIServer().Configure().Append("admission-control-config-file", file)
	}
	config, err := c.Start()
	if err != nil {
		t.Fatalf("start the API server: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	config.QPS = -1
	if c.admin, err = client.New(config, client.Options{}); err != nil {
		t.Fatal(err)
	}
	c.save(t, "admin", c.kubeconfig, "system:masters")
	return c
}

// save writes a kubeconfig for a user.
func (c *cluster) save(t *testing.T, user, path string, groups ...string) {
	t.Helper()
	u, err := c.AddUser(envtest.User{Name: user, Groups: groups}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := u.KubeConfig()
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// get returns an object, nil if there is none.
func (c *cluster) get(t *testing.T, apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
	err := c.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, o)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	} else if err != nil {
		return nil
	}
	return o
}
