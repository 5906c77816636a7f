package chart

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// runController runs the controller as the chart does: with the arguments of its Deployment, as its ServiceAccount. It returns what
// stops it.
func (c *cluster) runController(t *testing.T, binary, namespace string) func() {
	t.Helper()
	deployment := c.get(t, "apps/v1", "Deployment", namespace, "keywright-controller")
	pod := podOf(t, deployment)
	account, _, _ := unstructured.NestedString(pod.Object, "spec", "serviceAccountName")
	containers, _, _ := unstructured.NestedSlice(pod.Object, "spec", "containers")
	args, _, err := unstructured.NestedStringSlice(containers[0].(map[string]any), "args")
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	c.save(t, "system:serviceaccount:"+namespace+":"+account, kubeconfig, "system:serviceaccounts", "system:serviceaccounts:"+namespace, "system:authenticated")
	cmd := exec.Command(binary, slices.Concat(args, []string{
		"--metrics-bind-address=", "--health-probe-bind-address=", "--kubeconfig=" + kubeconfig,
		"--leader-elect-lease-duration=5s", "--leader-elect-renew-deadline=4s", "--leader-elect-retry-period=1s", // an uninstallation waits so long
	})...)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the controller:\n%s", log.String())
		}
	})
	c.running.Store(&stop)
	t.Cleanup(stop)
	return stop
}

// stopController stops the controller that was started last, if it still runs.
func (c *cluster) stopController() {
	if stop := c.running.Load(); stop != nil {
		(*stop)()
	}
}

// wantTrust waits for the SigningKey to be Ready, and for its public keys to be where they are wanted.
func (c *cluster) wantTrust(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		files, _, _ := unstructured.NestedStringMap(orEmpty(c.get(t, "v1", "ConfigMap", "default", "keywright-jwks")), "data")
		if files["main.json"] != "" && ready(c.get(t, "keywright.dev/v1alpha1", "SigningKey", "", "main")) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the namespace has %v", files)
		}
	}
}

func orEmpty(o *unstructured.Unstructured) map[string]any {
	if o == nil {
		return nil
	}
	return o.Object
}

func ready(o *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(orEmpty(o), "status", "conditions")
	return slices.ContainsFunc(conditions, func(c any) bool {
		condition := c.(map[string]any)
		return condition["type"] == "Ready" && condition["status"] == "True"
	})
}
