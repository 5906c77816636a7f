package progress

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/leader"
)

const (
	// overdueAfter is how long a working controller may take to show that it has seen a request.
	overdueAfter = 5 * time.Second
	// checkPeriod is how often the Lease is read after that.
	checkPeriod = 2 * time.Second
	// repeatPeriod is how often a wait repeats its last line.
	repeatPeriod = 2 * time.Second
)

// Reporter prints what is done to standard output, and what is awaited to standard error.
type Reporter struct {
	env            *cli.Env
	began, checked time.Time
	// printed has the lines about what is done.
	printed map[string]bool
	// last is the last line about what is awaited, without the duration, and lastAt its time.
	last   string
	lastAt time.Time
	// reason is why no controller is running, as last printed.
	reason string
	// width is the number of columns of the terminal, 0 if standard error is none. On a terminal, each line about what is awaited
	// overwrites the previous one. open reports whether such a line is there.
	width int
	open  bool
}

// NewReporter begins a wait. The caller defers End.
func NewReporter(env *cli.Env) *Reporter {
	r := &Reporter{env: env, began: time.Now(), printed: map[string]bool{}}
	if f, ok := env.ErrOut.(*os.File); ok {
		r.width, _, _ = term.GetSize(int(f.Fd())) // 0 if it is not a terminal
	}
	return r
}

// Done prints a line about what is done, once.
func (r *Reporter) Done(line string) {
	if line != "" && !r.printed[line] {
		r.printed[line] = true
		r.End()
		cli.Printf(r.env.Out, "%s\n", line)
	}
}

// Waiting prints what is awaited when that changes, and every two seconds with the duration of the wait.
func (r *Reporter) Waiting(text string) {
	now := time.Now()
	if text == "" || (text == r.last && now.Sub(r.lastAt) < repeatPeriod) {
		return
	}
	line := text
	if text == r.last {
		line = fmt.Sprintf("Still waiting after %v. %s", now.Sub(r.began).Round(time.Second), text)
	}
	r.last, r.lastAt = text, now
	r.End()
	if r.width == 0 {
		cli.Printf(r.env.ErrOut, "%s\n", line)
		return
	}
	r.open = true
	if columns := []rune(line); len(columns) >= r.width { // a wrapped line could not be overwritten
		line = string(columns[:r.width-1])
	}
	cli.Printf(r.env.ErrOut, "%s", line)
}

// End clears the line about what is awaited.
func (r *Reporter) End() {
	if r.open {
		r.open = false
		cli.Printf(r.env.ErrOut, "\r\x1b[K")
	}
}

// Overdue reports whether a working controller should have seen the request, at most once per check period.
func (r *Reporter) Overdue() bool {
	now := time.Now()
	if now.Sub(r.began) < overdueAfter || now.Sub(r.checked) < checkPeriod {
		return false
	}
	r.checked = now
	return true
}

// Leader returns the leader of the controllers, and its description, or the error of the read.
func (r *Reporter) Leader(ctx context.Context, k client.Client) (l leader.Leader, description string) {
	l, err := leader.Find(ctx, r.env, k)
	if err != nil {
		return l, "the Lease could not be read: " + err.Error()
	}
	return l, l.String()
}

// NotSeen prints that no controller has seen the request, when the reason changes. The consequence is what happens until one does.
func (r *Reporter) NotSeen(ctx context.Context, l leader.Leader, description, consequence string) {
	if reason, _, _ := strings.Cut(description, " ("); reason != r.reason && ctx.Err() == nil {
		r.reason = reason
		r.End()
		cli.Printf(r.env.ErrOut, "After %v, no controller has picked up the request: %s. %s\n%s.\nStill waiting. If you stop this command, the request stays in place.\n",
			overdueAfter, description, consequence, l.Hint())
	}
}

// Err adds to an error that ended a wait for a SigningKey that the request is still valid.
func Err(ctx context.Context, signingKey string, err error) error {
	return ErrWithHint(ctx, "`kubectl keywright status "+signingKey+"` shows its progress", err)
}

// ErrWithHint is Err with another command that shows the progress.
func ErrWithHint(ctx context.Context, hint string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errors.New("stopped waiting: the request stays valid, and " + hint)
	default:
		return fmt.Errorf("%w: the request stays valid, and %s", err, hint)
	}
}
