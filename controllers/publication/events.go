package publication

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/controllers/wiring"
)

// lookAgainIn is how long it takes until a SigningKey looks at its targets again because files of others changed there: their resource versions
// are part of what it records, and nothing waits for that.
const lookAgainIn = 10 * time.Second

// A SigningKey looks at all its targets while they change: the more there are, the less often.
const (
	lookPerTarget = 100 * time.Microsecond
	longestPause  = 2 * time.Second
)

// pause returns how long changes gather before their SigningKey looks at its targets.
func (t *Tracker) pause() time.Duration {
	return min(max(wiring.Debounce, time.Duration(t.configMaps.Load())*lookPerTarget), longestPause)
}

// Handler notes what ConfigMaps come to hold, and wakes the SigningKeys whose files changed. It wakes those with other files there later: a look at
// all targets for each change of any file would take as much time as there are SigningKeys.
func (t *Tracker) Handler() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q wiring.Queue) {
			created, ok := e.Object.(*corev1.ConfigMap)
			t.configMaps.Add(1)
			if e.IsInInitialList {
				t.watching()
			} else if ok {
				t.Changed(nil, created)
			}
			if ok {
				wake(q, t.pause(), nil, created.Data)
			}
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q wiring.Queue) {
			before, ok := e.ObjectOld.(*corev1.ConfigMap)
			after, ok2 := e.ObjectNew.(*corev1.ConfigMap)
			if ok && ok2 {
				t.Changed(before, after)
				wake(q, t.pause(), before.Data, after.Data)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q wiring.Queue) {
			t.configMaps.Add(-1)
			if cm, ok := e.Object.(*corev1.ConfigMap); ok {
				t.Deleted(cm)
				wake(q, t.pause(), cm.Data, nil)
			}
		},
	}
}

// wake queues the names of the key sets in a ConfigMap that was created, changed or deleted: those whose files changed after a pause.
func wake(q wiring.Queue, pause time.Duration, before, after map[string]string) {
	in := map[string]time.Duration{}
	for _, files := range []map[string]string{before, after} {
		for file := range files {
			if name, ok := strings.CutSuffix(file, contract.JWKSSuffix); ok {
				in[name] = lookAgainIn
			}
		}
	}
	for name := range in {
		for _, suffix := range []string{contract.JWKSSuffix, contract.RevokedSuffix, contract.CASuffix} {
			was, stood := before[name+suffix]
			is, stands := after[name+suffix]
			if was != is || stood != stands {
				in[name] = pause
			}
		}
	}
	for name, pause := range in {
		q.AddAfter(wiring.Named(name), pause)
	}
}
