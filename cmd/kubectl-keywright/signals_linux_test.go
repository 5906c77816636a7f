package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// plugin builds the plugin as users have it.
var plugin = sync.OnceValues(func() (string, error) {
	path := filepath.Join(cluster.directory, "kubectl-keywright")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// signalled runs the plugin until it says something, sends a signal, and returns the exit code and what was said by then.
func signalled(t *testing.T, in io.Reader, signal os.Signal, says string, args ...string) (code int, said string) {
	t.Helper()
	binary, err := plugin()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, append(args, "--kubeconfig", cluster.kubeconfig)...)
	var stdout bytes.Buffer
	asked := make(chan struct{})
	stderr := &trigger{text: says, pull: sync.OnceFunc(func() { close(asked) })}
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
		t.Fatalf("%v ended before it said %q: %v\n%s", args, says, cmd.ProcessState, stderr.written.String())
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
	stderr.lock.Lock()
	defer stderr.lock.Unlock()
	return cmd.ProcessState.ExitCode(), stdout.String() + stderr.written.String()
}

// Every prompt and every wait ends at once with a signal, with exit code 130, and says what that means for the request.
func TestSignals(t *testing.T) {
	kid := signingKey(t, "signals").Status.ActiveKeyID
	token := jwt(kid, `{"jti":"j1","sub":"alice"}`)
	const nothing = "interrupted: nothing was revoked"
	for _, c := range []struct {
		name, typed, says, means string
		args                     []string
	}{
		{"revoke, the question", "", "[y/N]", nothing, []string{"revoke", "signals", kid}},
		{"revoke --subject, the question", "", "[y/N]", nothing, []string{"revoke", "signals", "--subject", "alice"}},
		{"revoke --token, the token", "", "Token: ", nothing, []string{"revoke", "signals", "--token", "-"}},
		{"revoke --token, which", token + "\n", "End which?", nothing, []string{"revoke", "signals", "--token", "-"}},
		{"revoke --token, the question", token + "\n2\n", "[y/N]", nothing, []string{"revoke", "signals", "--token", "-"}},
		{"revoke, the wait", "", "Waiting for the controller", "stopped waiting: the request stands", []string{"revoke", "signals", "--jti", "j1", "--yes", "-w"}},
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
			if code != exitInterrupted || !strings.Contains(said, c.means) || strings.Contains(said, "context canceled") {
				t.Errorf("%s, %v: exit code %d\n%s", c.name, signal, code, said)
			}
			_, _, _ = typed.Close(), w.Close(), r.Close()
		}
	}
	if left := revocationsOf(t, "signals"); len(left) != 2 { // those of the waits
		t.Errorf("%d Revocations", len(left))
	}
	withoutController(t)
	for _, args := range [][]string{{"revoke", "signals", kid, "--yes"}, {"rotate", "signals"}} {
		code, said := signalled(t, nil, syscall.SIGINT, "Still waiting", args...)
		if code != exitInterrupted || !strings.Contains(said, "stopped waiting: the request stands, and `kubectl keywright status signals` shows how far it is") {
			t.Errorf("%v: exit code %d\n%s", args, code, said)
		}
	}
}

// A signal at the prompt for a password ends it, and gives the terminal its echo back.
func TestSignalAtThePassword(t *testing.T) {
	withCluster(t)
	theirs := terminal(t)
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		code, said := signalled(t, theirs, signal, "Password: ", "token", "--url", "https://127.0.0.1:1", "--client-id", "web", "--username", "alice")
		if code != exitInterrupted || strings.Contains(said, "context canceled") || !echoes(t, theirs) {
			t.Errorf("%v: exit code %d, echo %v\n%s", signal, code, echoes(t, theirs), said)
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = w.Close(), r.Close() }()
	binary, err := plugin()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "token", "--url", "https://127.0.0.1:1", "--client-id", "web", "--username", "alice")
	cmd.Stdin = r // a pipe that says nothing, and no prompt
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitReader(t, r, w)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("a pipe: exit code %d", cmd.ProcessState.ExitCode())
	}
}

// awaitReader waits until somebody reads from a pipe: a byte that was written is gone.
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
			t.Fatal("nobody reads the pipe")
		}
	}
}

// terminal opens a pseudoterminal that nobody types into.
func terminal(t *testing.T) *os.File {
	t.Helper()
	_, theirs := pseudoterminal(t)
	return theirs
}

// echoes reports whether a terminal shows what is typed.
func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// pseudoterminal opens a terminal: what is written to ours was typed at theirs.
func pseudoterminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there is no pseudoterminal: %v", err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	n, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = theirs.Close() })
	return ours, theirs
}
