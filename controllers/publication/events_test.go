package publication

import (
	"maps"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/keywright/keywright/controllers/wiring"
)

// waking remembers what is queued, and in how long.
type waking struct {
	wiring.Queue
	in map[string]time.Duration
}

func (w waking) AddAfter(request reconcile.Request, pause time.Duration) { w.in[request.Name] = pause }

// A change of one file wakes its SigningKey at once, and those with other files in that ConfigMap later.
func TestChangeOfAFileWakesItsSigningKey(t *testing.T) {
	two := map[string]string{"a.json": "1", "a.revoked": "1", "b.json": "1", "b.tls-ca.crt": "1"}
	with := func(file, content string) map[string]string {
		m := maps.Clone(two)
		m[file] = content
		return m
	}
	for name, c := range map[string]struct {
		before, after map[string]string
		want          map[string]time.Duration
	}{
		"created":                  {nil, two, map[string]time.Duration{"a": wiring.Debounce, "b": wiring.Debounce}},
		"deleted":                  {two, nil, map[string]time.Duration{"a": wiring.Debounce, "b": wiring.Debounce}},
		"another key set":          {two, with("a.json", "2"), map[string]time.Duration{"a": wiring.Debounce, "b": lookAgainIn}},
		"another list":             {two, with("a.revoked", "2"), map[string]time.Duration{"a": wiring.Debounce, "b": lookAgainIn}},
		"another CA":               {two, with("b.tls-ca.crt", "2"), map[string]time.Duration{"a": lookAgainIn, "b": wiring.Debounce}},
		"a new, empty file":        {two, with("c.json", ""), map[string]time.Duration{"a": lookAgainIn, "b": lookAgainIn, "c": wiring.Debounce}},
		"only its metadata":        {two, two, map[string]time.Duration{"a": lookAgainIn, "b": lookAgainIn}},
		"a file of nobody's":       {two, with("jwks", "2"), map[string]time.Duration{"a": lookAgainIn, "b": lookAgainIn}},
		"a key set that goes away": {with("c.json", "1"), two, map[string]time.Duration{"a": lookAgainIn, "b": lookAgainIn, "c": wiring.Debounce}},
	} {
		t.Run(name, func(t *testing.T) {
			q := waking{in: map[string]time.Duration{}}
			wake(q, wiring.Debounce, c.before, c.after)
			if !maps.Equal(q.in, c.want) {
				t.Errorf("queued %v, want %v", q.in, c.want)
			}
		})
	}
}

// The more ConfigMaps there are, the longer changes gather, within bounds.
func TestPauseGrowsWithTheTargets(t *testing.T) {
	tracker := NewTracker(time.Now)
	q := waking{in: map[string]time.Duration{}}
	handler := tracker.Handler()
	cm := &corev1.ConfigMap{Data: map[string]string{"a.json": "1"}}
	for n, want := range map[int64]time.Duration{0: wiring.Debounce, 1000: wiring.Debounce, 9_999: time.Second, 99_999: longestPause} {
		tracker.configMaps.Store(n)
		handler.Create(t.Context(), event.CreateEvent{Object: cm, IsInInitialList: true}, q)
		if q.in["a"] != want {
			t.Errorf("with %d ConfigMaps more, the pause is %v, want %v", n, q.in["a"], want)
		}
		handler.Delete(t.Context(), event.DeleteEvent{Object: cm}, q)
		if got := tracker.configMaps.Load(); got != n {
			t.Errorf("%d ConfigMaps are counted, want %d", got, n)
		}
	}
}
