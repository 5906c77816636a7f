package interop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// required makes a missing runtime a failure, where CI has installed all of them.
const required = "REQUIRE_INTEROP"

// runtime returns the path of a program. Without it the test is skipped, and says what to install.
func runtime(t *testing.T, program, packages string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, program, packages)
	}
	return path
}

func missing(t *testing.T, what, packages string) {
	t.Helper()
	if os.Getenv(required) != "" {
		t.Fatalf("%s is not there: install %s", what, packages)
	}
	t.Skipf("%s is not there: install %s to run this", what, packages)
}

// process is an example in its own runtime. It reads a token a line, and answers each with "ok SUBJECT" or "no REASON".
type process struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

// start runs a command until the test ends.
func start(t *testing.T, directory string, command ...string) *process {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = directory
	log := &strings.Builder{}
	cmd.Stderr = log
	in, err := cmd.StdinPipe()
	check(t, err)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", command[0], log)
		}
	})
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, 1<<20)
	return &process{t: t, in: in, out: scanner}
}

// Verify asks about one token.
func (p *process) Verify(token string) (string, error) {
	if _, err := fmt.Fprintln(p.in, token); err != nil {
		return "", fmt.Errorf("the process has ended: %w", err)
	}
	if !p.out.Scan() {
		return "", errors.New("the process has ended")
	}
	answer := p.out.Text()
	subject, ok := strings.CutPrefix(answer, "ok ")
	if ok {
		return subject, nil
	}
	if !strings.HasPrefix(answer, "no ") {
		p.t.Errorf("the example fails in a way that its page does not name: %s", answer)
	}
	return "", errors.New(answer)
}

// write puts files into a new directory.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	directory := t.TempDir()
	for name, content := range files {
		check(t, os.WriteFile(filepath.Join(directory, name), []byte(content), 0o600))
	}
	return directory
}
