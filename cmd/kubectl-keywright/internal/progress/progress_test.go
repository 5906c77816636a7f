package progress

import (
	"bytes"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
)

// On a terminal, what is awaited is one line that is overwritten, and cleared at the end.
func TestReporterOnATerminal(t *testing.T) {
	var out, errOut bytes.Buffer
	r := NewReporter(&cli.Env{IOStreams: genericiooptions.IOStreams{Out: &out, ErrOut: &errOut}})
	if r.width != 0 {
		t.Error("a buffer is not a terminal")
	}
	r.width = 10
	r.Waiting("first")
	r.Waiting("first") // at once: not again
	r.Done("done")
	r.Done("done")
	r.Waiting("one that is longer")
	r.End()
	r.End()
	if got := errOut.String(); got != "first\r\x1b[Kone that \r\x1b[K" || out.String() != "done\n" {
		t.Errorf("%q %q", got, out.String())
	}
}
