package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
)

// signalled runs the plugin until it prints a text, sends a signal, and returns the exit code and the output.
func signalled(t *testing.T, in io.Reader, signal os.Signal, says string, args ...string) (code int, said string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), plugintest.Binary(t), append(args, "--kubeconfig", plugintest.Kubeconfig())...)
	var stdout bytes.Buffer
	asked := make(chan struct{})
	stderr := plugintest.NewTrigger(says, sync.OnceFunc(func() { close(asked) }))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &stdout, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the exit code is looked at
		close(done)
	}()
	select {
	case <-asked:
	case <-done:
		t.Fatalf("%v ended before it said %q: %v\n%s", args, says, cmd.ProcessState, stderr.String())
	case <-time.After(30 * time.Second):
		t.Fatalf("%v does not say %q", args, says)
	}
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		_ = cmd.Process.Kill()
		t.Fatalf("%v does not end by a signal", args)
	}
	return cmd.ProcessState.ExitCode(), stdout.String() + stderr.String()
}

// A signal ends every prompt and every wait at once, with exit code 130 and a message about the request.
func TestSignals(t *testing.T) {
	kid := plugintest.CreateSigningKey(t, "signals").Status.ActiveKeyID
	token := plugintest.Token(kid, `{"jti":"j1","sub":"alice"}`)
	const nothing = "interrupted: nothing was revoked"
	for _, c := range []struct {
		name, typed, says, means string
		args                     []string
	}{
		{"revoke, the question", "", "[y/N]", nothing, []string{"revoke", "signals", kid}},
		{"revoke --subject, the question", "", "[y/N]", nothing, []string{"revoke", "signals", "--subject", "alice"}},
		{"revoke --token, the token", "", "Token: ", nothing, []string{"revoke", "signals", "--token", "-"}},
		{"revoke --token, which", token + "\n", "Revoke which?", nothing, []string{"revoke", "signals", "--token", "-"}},
		{"revoke --token, the question", token + "\n2\n", "[y/N]", nothing, []string{"revoke", "signals", "--token", "-"}},
		{"revoke, the wait", "", "Waiting for the controller", "stopped waiting: the request stays valid", []string{"revoke", "signals", "--jti", "j1", "--yes", "-w"}},
	} {
		for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
			in, typed := io.Pipe()
			go func() { _, _ = io.WriteString(typed, c.typed) }() // and then nothing more
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = io.Copy(w, in) }()
			code, said := signalled(t, r, signal, c.says, c.args...)
			if code != cli.ExitInterrupted || !strings.Contains(said, c.means) || strings.Contains(said, "context canceled") {
				t.Errorf("%s, %v: exit code %d\n%s", c.name, signal, code, said)
			}
			_, _, _ = typed.Close(), w.Close(), r.Close()
		}
	}
	if left := plugintest.Revocations(t, "signals"); len(left) != 2 { // those of the waits
		t.Errorf("%d Revocations", len(left))
	}
	plugintest.StopController(t)
	for _, args := range [][]string{{"revoke", "signals", kid, "--yes"}, {"rotate", "signals"}} {
		code, said := signalled(t, nil, syscall.SIGINT, "Still waiting", args...)
		if code != cli.ExitInterrupted || !strings.Contains(said, "stopped waiting: the request stays valid, and `kubectl keywright status signals` shows its progress") {
			t.Errorf("%v: exit code %d\n%s", args, code, said)
		}
	}
}

// A signal ends the prompt for a password, and restores the echo of the terminal.
func TestSignalAtThePassword(t *testing.T) {
	plugintest.StartCluster(t)
	_, theirs := plugintest.Pseudoterminal(t)
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		code, said := signalled(t, theirs, signal, "Password: ", "token", "--url", "https://127.0.0.1:1", "--client-id", "web", "--username", "alice")
		if code != cli.ExitInterrupted || strings.Contains(said, "context canceled") || !plugintest.Echoes(t, theirs) {
			t.Errorf("%v: exit code %d, echo %v\n%s", signal, code, plugintest.Echoes(t, theirs), said)
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = w.Close(), r.Close() }()
	cmd := exec.CommandContext(t.Context(), plugintest.Binary(t), "token", "--url", "https://127.0.0.1:1", "--client-id", "web", "--username", "alice")
	cmd.Stdin = r // an open pipe without input, and no prompt
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitReader(t, r, w)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != cli.ExitInterrupted {
		t.Errorf("a pipe: exit code %d", cmd.ProcessState.ExitCode())
	}
}

// awaitReader waits until a process has read a byte from a pipe.
func awaitReader(t *testing.T, r, w *os.File) {
	t.Helper()
	if _, err := w.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-ticker.C {
		left, err := unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
		switch {
		case err != nil:
			t.Fatal(err)
		case left == 0:
			return
		case time.Now().After(deadline):
			t.Fatal("the plugin does not read the pipe")
		}
	}
}
