package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
)

// kubectl completes the arguments of the plugin, with the script in the help of completion.
func TestCompletionByKubectl(t *testing.T) {
	plugintest.CreateSigningKey(t, "kubectl")
	kubectl := plugintest.Kubectl()
	if _, err := os.Stat(kubectl); err != nil {
		t.Skip(err)
	}
	binary := plugintest.Binary(t)
	help, _, err := plugintest.RunOffline(t, "", "completion", "--help")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(help, "\n\n  #!")
	script, _, found := strings.Cut("#!"+script, "\n\n")
	if lines := strings.Split(script, "\n"); !found || len(lines) != 2 {
		t.Fatalf("the script is %q", script)
	}
	directory := t.TempDir()
	for name, text := range map[string]string{
		"kubectl_complete-keywright": strings.ReplaceAll(script, "\n  ", "\n") + "\n", "kubectl-keywright": "#!/bin/sh\nexec " + binary + ` "$@"` + "\n",
		"kubectl": "#!/bin/sh\nexec " + kubectl + ` "$@"` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for args, offers := range map[string]string{"rotate ": "kubectl\n", "ver": "verify\t"} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(directory, "kubectl"), append([]string{"__complete", "keywright"}, strings.Split(args, " ")...)...)
		cmd.Env = append(os.Environ(), "PATH="+directory+":"+os.Getenv("PATH"), "KUBECONFIG="+plugintest.Kubeconfig())
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains("\n"+string(out), "\n"+offers) {
			t.Errorf("%s: %v\n%s", args, err, out)
		}
	}
}
