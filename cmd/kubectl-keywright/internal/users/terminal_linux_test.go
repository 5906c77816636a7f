package users

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
)

// On a terminal, a password is asked for twice and never shown, and the echo is always restored.
func TestPasswordsOfUsersAtATerminal(t *testing.T) {
	binary := plugintest.Binary(t)
	for _, c := range []struct {
		name  string
		typed []string
		// ends is a signal that is sent at the next prompt.
		ends os.Signal
		code int
		says string
	}{
		{name: "twice the same", typed: []string{"correct horse\n", "correct horse\n"}, says: "User alice is added"},
		{name: "two that differ", typed: []string{"correct horse\n", "correct house\n"}, code: cli.ExitFailed, says: "the passwords differ: nothing was changed"},
		{name: "none", typed: []string{"\n"}, code: cli.ExitFailed, says: "the password must have 1 to 1024 bytes"},
		{name: "a signal at first", ends: syscall.SIGINT, code: cli.ExitInterrupted, says: "interrupted"},
		{name: "a signal later", typed: []string{"correct horse\n"}, ends: syscall.SIGTERM, code: cli.ExitInterrupted, says: "interrupted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			directory := t.TempDir()
			path := filepath.Join(directory, "users.yaml")
			ours, theirs := plugintest.Pseudoterminal(t)
			var shown bytes.Buffer
			var reading sync.WaitGroup
			reading.Go(func() { _, _ = shown.ReadFrom(ours) }) // what a person sees; it ends when nobody has the terminal any more
			cmd := exec.CommandContext(t.Context(), binary, "users", "add", "alice", "--create", "-f", path)
			var stdout bytes.Buffer
			prompts := make(chan struct{}, 10)
			stderr := &prompted{prompts: prompts}
			cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, &stdout, stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			await := func() {
				select {
				case <-prompts:
				case <-time.After(30 * time.Second):
					_ = cmd.Process.Kill()
					t.Errorf("it does not ask: %s", stderr.text())
				}
			}
			for _, line := range c.typed {
				await()
				if plugintest.Echoes(t, theirs) {
					t.Error("the terminal shows what is typed")
				}
				if _, err := ours.WriteString(line); err != nil {
					t.Fatal(err)
				}
			}
			if c.ends != nil {
				await()
				_ = cmd.Process.Signal(c.ends)
			}
			_ = cmd.Wait() // the exit code is looked at
			said := stdout.String() + stderr.text()
			if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(said, c.says) || strings.Contains(said, "horse") || !plugintest.Echoes(t, theirs) {
				t.Errorf("exit code %d, echo %t\n%s", code, plugintest.Echoes(t, theirs), said)
			}
			_ = theirs.Close()
			reading.Wait()
			if strings.Contains(shown.String(), "horse") {
				t.Errorf("the terminal showed %q", shown.String())
			}
			list, err := os.ReadFile(path)
			if c.code != 0 && !os.IsNotExist(err) || c.code == 0 && (err != nil || !logsIn(t, list, "alice", "correct horse")) {
				t.Errorf("%v\n%s", err, list)
			}
		})
	}
}

// prompted reports each prompt that is written.
type prompted struct {
	lock    sync.Mutex
	written bytes.Buffer
	seen    int
	prompts chan<- struct{}
}

func (p *prompted) Write(b []byte) (int, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	n, err := p.written.Write(b)
	for now := strings.Count(p.written.String(), "assword: ") + strings.Count(p.written.String(), "again: "); p.seen < now; p.seen++ {
		p.prompts <- struct{}{}
	}
	return n, err
}

func (p *prompted) text() string {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.written.String()
}
