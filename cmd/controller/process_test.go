package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

// process is the controller process.
type process struct {
	*exec.Cmd
	// metrics and probes are its addresses.
	metrics, probes string

	mu  sync.Mutex
	log bytes.Buffer

	// done is closed after the process has exited.
	done chan struct{}
}

// ended reports whether the process has exited.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// run starts the controller with its service account, and kills it when the test ends.
func (c *cluster) run(t *testing.T) *process {
	t.Helper()
	return c.runWith(t, c.file("kubeconfig"),
		"--leader-elect-lease-duration=3s", "--leader-elect-renew-deadline=2s", "--leader-elect-retry-period=500ms")
}

// runWith starts the controller with a kubeconfig and flags of the test.
func (c *cluster) runWith(t testing.TB, kubeconfig string, flags ...string) *process {
	t.Helper()
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	metrics, probes := freeAddress(t), freeAddress(t)
	p := &process{done: make(chan struct{}), metrics: "http://" + metrics, probes: "http://" + probes, Cmd: exec.Command(binary, append(flags,
		"--kubeconfig", kubeconfig, "--key-namespace", keyNamespace,
		"--metrics-bind-address", metrics, "--health-probe-bind-address", probes)...)}
	p.Stdout, p.Stderr = p, p
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(p.done); _ = p.Wait() }()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the controller said:\n%s", p.said())
		}
	})
	return p
}

// freeAddress returns an unused address of this host.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// ready reports whether the controller has filled its caches.
func (p *process) ready() bool {
	response, err := http.Get(p.probes + "/readyz")
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// get returns the status and the body at a URL.
func get(t testing.TB, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(b)
}

// kill ends the process with SIGKILL, and returns when it is dead.
func (p *process) kill() {
	_ = p.Process.Kill()
	<-p.done
}

// apply runs kubectl apply -k on a directory of config/.
func (c *cluster) apply(t testing.TB, directory string) {
	t.Helper()
	kubectl := filepath.Join(c.BinaryAssetsDirectory, "kubectl")
	cmd := exec.CommandContext(t.Context(), kubectl, "--kubeconfig", c.file("admin.kubeconfig"), "apply", "-k", "../../config/"+directory)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kubectl apply -k config/%s: %v\n%s", directory, err, out)
	}
}

// until waits until a condition is true.
func until(t testing.TB, what string, within time.Duration, is func(context.Context) bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, within, true, func(ctx context.Context) (bool, error) {
		return is(ctx), nil
	})
	if err != nil {
		t.Fatalf("within %v not %s", within, what)
	}
}

// request is one line of the audit log.
type request struct {
	Verb           string
	RequestURI     string
	ObjectRef      struct{ Resource, Namespace, Name, Subresource string }
	ResponseStatus metav1.Status
	StageTimestamp metav1.MicroTime
}

func (r request) String() string {
	return fmt.Sprintf("%s %s: %d", r.Verb, r.RequestURI, r.ResponseStatus.Code)
}

// write reports whether the request is a write, except of Leases.
func (r request) write() bool {
	return !strings.Contains("get list watch", r.Verb) && r.ObjectRef.Resource != "leases"
}

// audited returns the requests of the controller since a time.
func (c *cluster) audited(t testing.TB, since time.Time) []request {
	t.Helper()
	b, err := os.ReadFile(c.file("audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	var all []request
	for _, line := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
		var r request
		if json.Unmarshal(line, &r) == nil && r.StageTimestamp.After(since) {
			all = append(all, r)
		}
	}
	return all
}
