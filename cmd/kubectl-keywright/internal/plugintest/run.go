package plugintest

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
)

// NewCommand returns the plugin with the commands of Main.
func NewCommand(streams genericiooptions.IOStreams, now func() time.Time) *cobra.Command {
	return cli.NewRoot(streams, now, cluster.commands...)
}

// Run runs the plugin against the cluster with all permissions, and returns its output.
func Run(t *testing.T, in string, args ...string) (out, errOut string, err error) {
	t.Helper()
	StartCluster(t)
	return RunAs(t, cluster.kubeconfig, in, args...)
}

// RunOffline runs the plugin without a cluster.
func RunOffline(t *testing.T, in string, args ...string) (out, errOut string, err error) {
	t.Helper()
	return RunAs(t, "/nowhere", in, args...)
}

// RunAs runs the plugin with a kubeconfig, for at most a minute.
func RunAs(t *testing.T, kubeconfig, in string, args ...string) (out, errOut string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := NewCommand(genericiooptions.IOStreams{In: strings.NewReader(in), Out: &stdout, ErrOut: &stderr}, time.Now)
	cmd.SetArgs(append([]string{"--kubeconfig", kubeconfig}, args...))
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	err = cmd.ExecuteContext(ctx)
	return stdout.String(), stderr.String(), err
}

// RunUntil runs the plugin until standard error has a text, and then cancels its context, as a signal does. It fails the test if the plugin
// does not end within 5 s.
func RunUntil(t *testing.T, in io.Reader, text string, args ...string) (out, errOut string, err error) {
	t.Helper()
	var stdout bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	stderr := NewTrigger(text, cancel)
	cmd := NewCommand(genericiooptions.IOStreams{In: in, Out: &stdout, ErrOut: stderr}, time.Now)
	cmd.SetArgs(append(args, "--kubeconfig", cluster.kubeconfig))
	done := make(chan error, 1)
	go func() { done <- cmd.ExecuteContext(ctx) }()
	<-ctx.Done()
	select {
	case err = <-done:
	case <-time.After(5 * time.Second):
		t.Fatalf("%v does not end with its context", args)
	}
	return stdout.String(), stderr.String(), err
}

// Trigger is a writer that calls a function when a text is written.
type Trigger struct {
	lock    sync.Mutex
	written bytes.Buffer
	text    string
	call    func()
}

// NewTrigger returns a Trigger, which calls the function on each write after the text.
func NewTrigger(text string, call func()) *Trigger { return &Trigger{text: text, call: call} }

// Write implements io.Writer.
func (w *Trigger) Write(b []byte) (int, error) {
	w.lock.Lock()
	defer w.lock.Unlock()
	n, err := w.written.Write(b)
	if strings.Contains(w.written.String(), w.text) {
		w.call()
	}
	return n, err
}

// String returns what was written.
func (w *Trigger) String() string {
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.written.String()
}
