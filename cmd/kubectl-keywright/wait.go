package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/leader"
)

// takeUpWithin is how long a controller that works may need to show that it has seen a request. From then on, its Lease is looked at
// every lookEvery.
const (
	takeUpWithin = 5 * time.Second
	lookEvery    = 2 * time.Second
)

// sayEvery is how often a wait shows that it goes on.
const sayEvery = 2 * time.Second

// wait tells a person what was done and what is awaited.
type wait struct {
	*command
	since, looked time.Time
	// said are the lines about what was done.
	said map[string]bool
	// last is what was said to be awaited, and lastAt when. reason is why no controller took it up.
	last, reason string
	lastAt       time.Time
	// width is that of the terminal that the user looks at, where what is awaited stays one line, 0 if it is none. open tells that
	// this line has no end yet.
	width int
	open  bool
}

// newWait begins a wait. The caller defers end.
func newWait(c *command) *wait {
	w := &wait{command: c, since: time.Now(), said: map[string]bool{}}
	if f, ok := c.ErrOut.(*os.File); ok {
		w.width, _, _ = term.GetSize(int(f.Fd())) // 0 if it is no terminal
	}
	return w
}

// done says what was done, unless that was said before.
func (w *wait) done(line string) {
	if line != "" && !w.said[line] {
		w.said[line] = true
		w.end()
		cli.Printf(w.Out, "%s\n", line)
	}
}

// awaits says what is awaited, when that changes, and every two seconds for how long.
func (w *wait) awaits(text string) {
	now := time.Now()
	if text == "" || (text == w.last && now.Sub(w.lastAt) < sayEvery) {
		return
	}
	line := text
	if text == w.last {
		line = fmt.Sprintf("Still waiting after %v. %s", now.Sub(w.since).Round(time.Second), text)
	}
	w.last, w.lastAt = text, now
	w.end()
	if w.width == 0 {
		cli.Printf(w.ErrOut, "%s\n", line)
		return
	}
	w.open = true
	if shown := []rune(line); len(shown) >= w.width { // a line that wraps could not be overwritten
		line = string(shown[:w.width-1])
	}
	cli.Printf(w.ErrOut, "%s", line)
}

// end makes place for another line where the one about what is awaited stands.
func (w *wait) end() {
	if w.open {
		w.open = false
		cli.Printf(w.ErrOut, "\r\x1b[K")
	}
}

// forRecord says why a revocation is not recorded yet, once that is strange.
func (w *wait) forRecord(ctx context.Context, k client.Client, key *keywrightv1alpha1.SigningKey) {
	if !w.strange() {
		w.awaits("Waiting for the controller to take it up.")
		return
	}
	if key.Status.ObservedGeneration < key.Generation {
		l, why := w.whoWorks(ctx, k)
		w.nobody(ctx, l, why, fmt.Sprintf("status.observedGeneration is %d and metadata.generation %d. Until one takes it up, pods go on accepting the key.",
			key.Status.ObservedGeneration, key.Generation))
		return
	}
	text := "The controller has seen the request and has not recorded it yet."
	if ready := meta.FindStatusCondition(key.Status.Conditions, keywrightv1alpha1.ConditionReady); ready != nil {
		text += fmt.Sprintf(" Ready is %s, %s: %s", ready.Status, ready.Reason, ready.Message)
	}
	w.awaits(text)
}

// strange reports whether it is time to look why nothing happens.
func (w *wait) strange() bool {
	now := time.Now()
	if now.Sub(w.since) < takeUpWithin || now.Sub(w.looked) < lookEvery {
		return false
	}
	w.looked = now
	return true
}

// forRotation says it when there is no controller to take up the request. Whether one that works has done so cannot be seen.
func (w *wait) forRotation(ctx context.Context, k client.Client) {
	if !w.strange() {
		return
	}
	if l, why := w.whoWorks(ctx, k); !l.Works() {
		w.nobody(ctx, l, why, "Until one takes it up, the Active key goes on signing.")
	}
}

// whoWorks returns the leader, and what there is to say of it.
func (w *wait) whoWorks(ctx context.Context, k client.Client) (l leader.Leader, why string) {
	l, err := leader.Find(ctx, w.Env, k)
	if err != nil {
		return l, "whether one works could not be asked: " + err.Error()
	}
	return l, l.String()
}

// nobody says that no controller has taken up a request, and again when the reason changes.
func (w *wait) nobody(ctx context.Context, l leader.Leader, why, until string) {
	if reason, _, _ := strings.Cut(why, " ("); reason != w.reason && ctx.Err() == nil {
		w.reason = reason
		w.end()
		cli.Printf(w.ErrOut, "No controller has taken it up for %v: %s; %s\n%s.\nStill waiting. The request stands without this command, too.\n",
			takeUpWithin, why, until, l.Hint())
	}
}

// stands adds to an error that ended a wait that the request is not withdrawn.
func stands(ctx context.Context, name string, err error) error {
	return standsAs(ctx, "`kubectl keywright status "+name+"` shows how far it is", err)
}

// standsAs is stands, with another place to look at.
func standsAs(ctx context.Context, look string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errors.New("stopped waiting: the request stands, and " + look)
	default:
		return fmt.Errorf("%w: the request stands, and %s", err, look)
	}
}
