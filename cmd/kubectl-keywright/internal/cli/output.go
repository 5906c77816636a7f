package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/yaml"
)

// Printf writes a text for people. It ignores errors: a closed output does not fail the command.
func Printf(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

// PrintObject writes a value to standard output, as json or yaml.
func (e *Env) PrintObject(format string, value any) error {
	b, err := json.MarshalIndent(value, "", "  ")
	if err == nil && format == "yaml" {
		b, err = yaml.JSONToYAML(b)
	}
	if err == nil {
		Printf(e.Out, "%s\n", strings.TrimRight(string(b), "\n"))
	}
	return err
}

// OrDash returns the text, or a dash if it is empty.
func OrDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// RelativeTime returns a time relative to now, like "18d ago" or "in 12d", and a dash for nil.
func (e *Env) RelativeTime(at *metav1.Time) string {
	if at == nil {
		return "-"
	}
	if d := e.Now().Sub(at.Time); d >= 0 {
		return duration.HumanDuration(d) + " ago"
	}
	return "in " + duration.HumanDuration(at.Sub(e.Now()))
}
