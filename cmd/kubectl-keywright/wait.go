package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// takeUpWithin is how long a controller that works may need to show that it has seen a request. From then on, its Lease is looked at
// every lookEvery.
const (
	takeUpWithin = 5 * time.Second
	lookEvery    = 2 * time.Second
)

// said are the lines that were printed.
type said map[string]bool

// once prints a line that was not printed before.
func (s said) once(w io.Writer, line string) {
	if line != "" && !s[line] {
		s[line] = true
		say(w, "%s\n", line)
	}
}

// wait tells a person what is awaited, whenever that changes.
type wait struct {
	*cli
	since, looked time.Time
	// last is what was said to be awaited, and reason why no controller took it up.
	last, reason string
}

func newWait(c *cli) *wait { return &wait{cli: c, since: time.Now()} }

// say prints what is awaited, unless it was printed last.
func (w *wait) say(text string) {
	if text != "" && text != w.last {
		w.last = text
		say(w.ErrOut, "%s\n", text)
	}
}

// forRecord says why a revocation is not recorded yet, once that is strange.
func (w *wait) forRecord(ctx context.Context, k client.Client, key *keywrightv1alpha1.SigningKey) {
	if !w.strange() {
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
	w.say(text)
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
	if l, why := w.whoWorks(ctx, k); !l.works() {
		w.nobody(ctx, l, why, "Until one takes it up, the Active key goes on signing.")
	}
}

// whoWorks returns the leader, and what there is to say of it.
func (w *wait) whoWorks(ctx context.Context, k client.Client) (l leader, why string) {
	l, err := w.leader(ctx, k)
	if err != nil {
		return l, "whether one works could not be asked: " + err.Error()
	}
	return l, l.String()
}

// nobody says that no controller has taken up a request, and again when the reason changes.
func (w *wait) nobody(ctx context.Context, l leader, why, until string) {
	if reason, _, _ := strings.Cut(why, " ("); reason != w.reason && ctx.Err() == nil {
		w.reason = reason
		say(w.ErrOut, "No controller has taken it up for %v: %s; %s\n%s.\nStill waiting. The request stands without this command, too.\n",
			takeUpWithin, why, until, l.whereToLook())
	}
}

// stands adds to an error that ended a wait that the request is not withdrawn.
func stands(ctx context.Context, name string, err error) error {
	if err == nil {
		return nil
	}
	const request = "the request stands, and `kubectl keywright status %s` shows how far it is"
	if ctx.Err() != nil {
		return fmt.Errorf("stopped waiting: "+request, name)
	}
	return fmt.Errorf("%w: "+request, err, name)
}
