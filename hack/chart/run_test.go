package chart

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// `make run` on a cluster without Keywright: the controller from source has the permissions of config/rbac, and they suffice.
func TestMakeRun(t *testing.T) {
	t.Parallel()
	c := start(t)
	cmd := exec.Command("make", "-C", root, "--no-print-directory", "run")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.kubeconfig, "PATH="+c.BinaryAssetsDirectory+string(filepath.ListSeparator)+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // as Ctrl-C does, to make and to what it runs
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("make run:\n%s", log.String())
		} else if strings.Contains(log.String(), "forbidden") {
			t.Errorf("a request was forbidden:\n%s", log.String())
		}
	})
	kubectl := func(args ...string) error {
		_, err := run(t.Context(), filepath.Join(c.BinaryAssetsDirectory, "kubectl"), append([]string{"--kubeconfig", c.kubeconfig}, args...)...)
		return err
	}
	if err := kubectl("label", "namespace", "default", "keywright.dev/verify=true"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Second) { // until its CRD is there
		err := kubectl("apply", "-f", filepath.Join(root, "config", "samples", "signingkey.yaml"))
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	c.wantTrust(t)
}
