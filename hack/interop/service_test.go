package interop

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keywright/keywright/hack/interop/rotated"
)

// service is something that answers HTTP requests with a token, as a whole service or as a proxy before one.
type service struct {
	t   *testing.T
	url string
}

// Verify sends a request. The subject is the last word of the answer.
func (s service) Verify(token string) (string, error) {
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	if response.StatusCode >= http.StatusInternalServerError {
		s.t.Errorf("a token is answered with %s", response.Status)
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil || response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d, %w", response.StatusCode, err)
	}
	words := strings.Fields(string(body))
	return words[len(words)-1], nil
}

// freePort returns the port of an address that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	check(t, err)
	return port
}

// serve runs a server until the test ends, and returns when it answers.
func serve(t *testing.T, url string, command ...string) service {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	log := &strings.Builder{}
	cmd.Stderr, cmd.Stdout = log, log
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // which a program can pass on to its children
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", command[0], log)
		}
	})
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(20 * time.Second); ; <-ticker.C {
		response, err := http.Get(url)
		if err == nil {
			_ = response.Body.Close()
			return service{t: t, url: url}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v\n%s", command[0], err, log)
		}
	}
}

// The service of the Go page, whole.
func TestGoVerifier(t *testing.T) {
	t.Parallel()
	w := rotated.New(t, "ES256")
	port := freePort(t)
	program := build(t, map[string]string{"main.go": example(t, "go-verifier", mounted, w.Volume.File(), ":8080", "127.0.0.1:"+port)})
	s := serve(t, "http://127.0.0.1:"+port+"/orders", filepath.Clean(program))
	w.Tell(t, s, rotated.Promises{ChecksType: true, KeepsTheLastSet: true, EndsEarly: true, Reload: time.Second})
}
