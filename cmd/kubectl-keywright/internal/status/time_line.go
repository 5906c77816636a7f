package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// A time line has about timeLineColumns columns, and at least leastColumns per phase. Otherwise an hour in a month would have none.
const (
	timeLineColumns = 40
	leastColumns    = 2
)

// timeLine has a moment for each change of the state of a key, and for now.
type timeLine struct {
	now     time.Time
	moments []time.Time
}

// timeLine returns the time line from the preparation of the first key to the last known change.
func (c *command) timeLine(s *keywrightv1alpha1.SigningKeyStatus) timeLine {
	line := timeLine{now: c.Now()}
	line.moments = []time.Time{line.now}
	note := func(at *metav1.Time) {
		if at != nil {
			line.moments = append(line.moments, at.Time)
		}
	}
	note(s.NextRotationTime)
	for i := range s.Keys {
		k := &s.Keys[i]
		note(k.PreparedAt)
		note(k.ActivatedAt)
		note(k.RetiredAt)
		note(k.RemovalTime)
	}
	slices.SortFunc(line.moments, time.Time.Compare)
	line.moments = slices.CompactFunc(line.moments, time.Time.Equal)
	return line
}

// columns returns the width of the time between two moments: the minimum, and a share of the rest.
func (l timeLine) columns(from, to time.Time) int {
	rest := max(0, timeLineColumns-leastColumns*(len(l.moments)-1))
	whole := l.moments[len(l.moments)-1].Sub(l.moments[0])
	return leastColumns + int(float64(rest)*float64(to.Sub(from))/float64(whole))
}

// of returns the line of one key, with a letter per column.
func (l timeLine) of(k *keywrightv1alpha1.KeyStatus) string {
	var b strings.Builder
	for i, from := range l.moments {
		if from.Equal(l.now) {
			b.WriteByte('|')
		}
		if i+1 < len(l.moments) {
			b.WriteString(strings.Repeat(letter(k, from), l.columns(from, l.moments[i+1])))
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// letter returns the letter for the state of a key at a time.
func letter(k *keywrightv1alpha1.KeyStatus, t time.Time) string {
	reached := func(at *metav1.Time) bool { return at != nil && !t.Before(at.Time) }
	switch {
	case reached(k.RemovalTime) || !reached(k.PreparedAt):
		return " "
	case reached(k.RetiredAt):
		return "r"
	case reached(k.ActivatedAt):
		return "A"
	default:
		return "."
	}
}

func (l timeLine) legend() string {
	return fmt.Sprintf("time line from %s ago to %s ahead, not to scale: . Standby, published and waiting   A Active, signs   r Retired, verifies   | now",
		duration.HumanDuration(l.now.Sub(l.moments[0])), duration.HumanDuration(l.moments[len(l.moments)-1].Sub(l.now)))
}
