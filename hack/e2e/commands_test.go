package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shell is what a user has: kubectl with the plugin, helm, and a kubeconfig.
type shell struct {
	environment []string
	directory   string
}

func newShell(t *testing.T, kubeconfig string) *shell {
	t.Helper()
	bin, err := filepath.Abs(filepath.Join("..", "..", "bin"))
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	plugin := exec.Command("go", "build", "-o", filepath.Join(directory, "kubectl-keywright"), "./cmd/kubectl-keywright")
	plugin.Dir = filepath.Join("..", "..")
	if out, err := plugin.CombinedOutput(); err != nil {
		t.Fatalf("build the plugin: %v\n%s", err, out)
	}
	helm := os.Getenv("HELM")
	if helm == "" {
		helm = filepath.Join(bin, "helm3")
	}
	if err := os.Symlink(helm, filepath.Join(directory, "helm")); err != nil {
		t.Fatal(err)
	}
	path := strings.Join([]string{directory, os.Getenv("KUBEBUILDER_ASSETS"), os.Getenv("PATH")}, string(os.PathListSeparator))
	return &shell{directory: directory, environment: append(os.Environ(), "PATH="+path, "KUBECONFIG="+kubeconfig, "HOME="+directory)}
}

// program finds a command as the shell would.
func (s *shell) program(name string) string {
	out, err := s.try("command -v "+name, "")
	if err != nil {
		return name
	}
	return strings.TrimSpace(out)
}

// try runs a command line as bash does, with something on its standard input.
func (s *shell) try(line, stdin string) (string, error) {
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", line)
	cmd.Env, cmd.Dir, cmd.Stdin = s.environment, s.directory, strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// What a line leaves in the background, like a port-forward, must not keep the test waiting.
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	return out.String(), err
}

// run is try for what must succeed.
func (s *shell) run(t *testing.T, line string) string {
	t.Helper()
	return s.feed(t, line, "")
}

func (s *shell) feed(t *testing.T, line, stdin string) string {
	t.Helper()
	out, err := s.try(line, stdin)
	if err != nil {
		t.Fatalf("%s\n%v\n%s", line, err, out)
	}
	return out
}

// eventually tries until it succeeds and the output satisfies.
func (s *shell) eventually(t *testing.T, line string, satisfies func(string) bool) string {
	t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for {
		out, err := s.try(line, "")
		if err == nil && satisfies(out) {
			return out
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within five minutes: %s\n%v\n%s", line, err, out)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
