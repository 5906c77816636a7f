package report

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MostNames is how many namespaces a status names.
const MostNames = 10

// Condition returns a condition that is True or False. Who stores it adds generation and time.
func Condition(kind string, ok bool, reason, message string) metav1.Condition {
	c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: message}
	if ok {
		c.Status = metav1.ConditionTrue
	}
	return c
}

// Names returns the first MostNames names, and how many more there are.
func Names(all []string) string {
	if len(all) <= MostNames {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:MostNames], ", "), len(all)-MostNames)
}

// Stamp returns a time as RFC 3339 in UTC.
func Stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// TimeOrNil drops the fraction of a second, which the API cannot hold. It returns nil for the zero time.
func TimeOrNil(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.Truncate(time.Second).Local()}
}

// Shorten keeps a message of somebody else within most bytes, which a condition can hold.
func Shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
