package report

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MostNames is the maximum number of namespaces that a status names.
const MostNames = 10

// Condition returns a condition that is True or False. The caller adds generation and time.
func Condition(kind string, ok bool, reason, message string) metav1.Condition {
	c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: message}
	if ok {
		c.Status = metav1.ConditionTrue
	}
	return c
}

// Names returns at most MostNames names as a text, and how many more there are.
func Names(all []string) string {
	if len(all) <= MostNames {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:MostNames], ", "), len(all)-MostNames)
}

// Stamp returns a time as RFC 3339 in UTC.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// TimeOrNil returns a time without the fraction of a second, which the API does not store. It returns nil for the zero
// time.
func TimeOrNil(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.Truncate(time.Second).Local()}
}

// Shorten limits a text to most bytes, so that it fits into a condition.
func Shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
