package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keywright/keywright/hack/demo/traffic"
)

// view shows the chronicle and the ledger: redrawn in a terminal, line by line elsewhere.
type view struct {
	out       io.Writer
	redraw    bool
	chronicle *chronicle
	ledger    *traffic.Ledger
	// hints are the commands to try by hand.
	hints []string
}

// terminal reports whether somebody watches.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

const (
	width  = 72 // seconds of history
	height = 8  // events
)

// screen draws everything.
func (v *view) screen() string {
	var b strings.Builder
	key, rotations, since := v.chronicle.state()
	order, lines, events := v.chronicle.history()
	fmt.Fprintf(&b, "Keywright demo, %v. %d rotations. Key %.8s signs for %v; next rotation %s.\n\n",
		time.Since(v.chronicle.began).Round(time.Second), rotations, key.Status.ActiveKeyID, time.Since(since).Round(time.Second), inSeconds(key.Status.NextRotationTime))
	seconds := int(time.Since(v.chronicle.began) / time.Second)
	from := max(0, seconds-width)
	fmt.Fprintf(&b, "KEYS        a letter a second: . Standby, published and waiting   A Active, signs   r Retired, verifies   x revoked\n")
	for _, kid := range order[max(0, len(order)-7):] {
		line := lines[kid]
		fmt.Fprintf(&b, "  %.8s  %s\n", kid, line[min(from, len(line)):])
	}
	b.WriteString("\nTOKENS\n")
	v.tally(&b)
	b.WriteString("\nEVENTS\n")
	for _, event := range events[max(0, len(events)-height):] {
		fmt.Fprintf(&b, "  %s\n", event)
	}
	b.WriteString("\nTRY IN ANOTHER TERMINAL\n")
	for _, hint := range v.hints {
		fmt.Fprintf(&b, "  %s\n", hint)
	}
	b.WriteString("\nCtrl-C stops all of it.\n")
	return b.String()
}

func (v *view) tally(b io.Writer) {
	t, broken := v.ledger.Snapshot()
	_, _ = fmt.Fprintf(b, "  issued                    %8d   (%d after trying another issuer first)\n", t.Issued, t.FailedOver)
	_, _ = fmt.Fprintf(b, "  verified                  %8d\n", t.Verified)
	_, _ = fmt.Fprintf(b, "  valid, yet rejected       %8d   must stay 0\n", t.ValidRejected)
	_, _ = fmt.Fprintf(b, "  of a revoked key, rejected%8d   and accepted %d while files lagged, %d after that: must stay 0\n", t.RevokedRejected, t.RevokedAccepted, t.RevokedLate)
	_, _ = fmt.Fprintf(b, "  forged, rejected          %8d   and accepted %d: must stay 0\n", t.ForgedRejected, t.ForgedAccepted)
	if t.RefusedLogins+t.Unreachable > 0 {
		_, _ = fmt.Fprintf(b, "  logins refused by all     %8d   services that did not answer %d: must stay 0\n", t.RefusedLogins, t.Unreachable)
	}
	for _, problem := range broken {
		_, _ = fmt.Fprintf(b, "  ! %s\n", problem)
	}
}

// show draws once: the whole screen, or one line.
func (v *view) show() {
	if v.redraw {
		_, _ = fmt.Fprint(v.out, "\x1b[H\x1b[2J"+v.screen())
		return
	}
	t, _ := v.ledger.Snapshot()
	_, rotations, _ := v.chronicle.state()
	_, _ = fmt.Fprintf(v.out, "%6.1fs  rotations %d, issued %d, verified %d, valid rejected %d, of revoked keys rejected %d\n",
		time.Since(v.chronicle.began).Seconds(), rotations, t.Issued, t.Verified, t.ValidRejected, t.RevokedRejected)
}

// summary is the last thing that is printed.
func (v *view) summary() {
	_, _ = fmt.Fprint(v.out, "\n"+v.chart()+"\n")
	v.tally(v.out)
}

// chart is the history of all keys.
func (v *view) chart() string {
	var b strings.Builder
	order, lines, _ := v.chronicle.history()
	_, _ = fmt.Fprintf(&b, "All keys, a letter a second: . Standby   A Active   r Retired   x revoked\n")
	for _, kid := range order {
		fmt.Fprintf(&b, "  %.8s  %s\n", kid, lines[kid])
	}
	return b.String()
}

// inSeconds says how far away a time is.
func inSeconds(at *metav1.Time) string {
	if at == nil {
		return "not planned"
	}
	return "in " + max(0, time.Until(at.Time)).Round(time.Second).String()
}
