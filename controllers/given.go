package controllers

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/keywright/keywright/api/contract"
)

// Given watches the ConfigMaps and remembers when a target last came to hold each key. A fall-back that is repaired
// before anybody plans would otherwise go unnoticed, and a Standby be activated that some pod's file has lost.
type Given struct {
	now func() time.Time

	mu sync.Mutex
	// since is when this process began to watch. What happened before, nobody knows.
	since time.Time
	times map[givenKey]time.Time
	files parsed
}

type givenKey struct{ signingKey, keyID string }

// givenFor is how long a time is remembered: longer than any wait that goes by it.
const givenFor = 48 * time.Hour

// NewGiven returns a memory that begins now.
func NewGiven(now func() time.Time) *Given {
	return &Given{now: now, since: now(), times: map[givenKey]time.Time{}, files: parsed{}}
}

// at returns for each key when a target last came to hold it, as far as this process can know.
func (g *Given) at(signingKey string, ids []string) map[string]time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make(map[string]time.Time, len(ids))
	for _, id := range ids {
		out[id] = g.since
		if at := g.times[givenKey{signingKey, id}]; at.After(g.since) {
			out[id] = at
		}
	}
	return out
}

// watching notes that the watch shows the state of now, whatever happened before.
func (g *Given) watching() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.since = g.now()
}

// changed compares two versions of a ConfigMap. before is nil for one that was created. What the records say tells whether
// there were versions in between that the watch did not show: then every key of the file may have come with the last one.
func (g *Given) changed(before, after *corev1.ConfigMap) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	records := recordsOf(after)
	var earlier map[string]record
	var held map[string]string
	if before != nil && before.UID == after.UID {
		earlier, held = recordsOf(before), before.Data
	}
	for file, content := range after.Data {
		name := strings.TrimSuffix(file, contract.JWKSSuffix)
		since := records[name].Writes - earlier[name].Writes
		missed := since < 0 || since > 1
		if held[file] == content && !missed {
			continue
		}
		if _, stood := held[file]; !stood && !missed {
			continue // its first version: nobody there can have mounted another one
		}
		had := g.files.keyIDs(held[file])
		for _, id := range g.files.keyIDs(content) {
			if missed || !slices.Contains(had, id) {
				g.times[givenKey{name, id}] = now
			}
		}
	}
	for k, at := range g.times {
		if now.Sub(at) > givenFor {
			delete(g.times, k)
		}
	}
}

// debounce is how long the signingkey controller lets changes of targets gather before it looks at them.
const debounce = 250 * time.Millisecond

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// handler notes what ConfigMaps come to hold, and wakes the SigningKeys whose files changed.
func (g *Given) handler() handler.EventHandler {
	wake := func(q queue, objects ...client.Object) {
		for _, o := range objects {
			cm, ok := o.(*corev1.ConfigMap)
			if !ok {
				continue
			}
			for file := range cm.Data {
				if name, ok := strings.CutSuffix(file, contract.JWKSSuffix); ok {
					q.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}, debounce)
				}
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			if e.IsInInitialList {
				g.watching()
			} else if created, ok := e.Object.(*corev1.ConfigMap); ok {
				g.changed(nil, created)
			}
			wake(q, e.Object)
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			before, ok := e.ObjectOld.(*corev1.ConfigMap)
			after, ok2 := e.ObjectNew.(*corev1.ConfigMap)
			if ok && ok2 {
				g.changed(before, after)
			}
			wake(q, e.ObjectOld, e.ObjectNew)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { wake(q, e.Object) },
	}
}
