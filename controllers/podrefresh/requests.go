package podrefresh

import (
	"context"
	"maps"
	"slices"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/keywright/keywright/controllers/rotation"
	"github.com/keywright/keywright/controllers/wiring"
)

// Requests has the nudges that the signingkey controller requests, and their results, within one process. After a
// restart, those that no keyring records as done are requested again, and pods are nudged once more.
type Requests struct {
	mu     sync.Mutex
	byName map[string]*request
	// added and progressed are called without the lock, with the name of a SigningKey.
	added, progressed func(name string)
}

// request has the requests of one SigningKey.
type request struct {
	// open are the revoked keys whose pods are still to be nudged.
	open []string
	// finished are the keys whose pods were nudged.
	finished map[string]rotation.Nudged
	// left is the number of pods that are still to be nudged. It is valid if counted is set.
	left    int32
	counted bool
}

// NewRequests returns an empty store.
func NewRequests() *Requests {
	return &Requests{byName: map[string]*request{}, added: func(string) {}, progressed: func(string) {}}
}

// Add requests nudges of the pods that may have these revoked keys. Known requests change nothing.
func (n *Requests) Add(name string, ids []string) {
	n.mu.Lock()
	of := n.byName[name]
	if of == nil {
		of = &request{finished: map[string]rotation.Nudged{}}
		n.byName[name] = of
	}
	before := len(of.open)
	for _, id := range ids {
		if _, finished := of.finished[id]; !finished && !slices.Contains(of.open, id) {
			of.open = append(of.open, id)
			of.counted = false
		}
	}
	more, added := len(of.open) > before, n.added
	n.mu.Unlock()
	if more {
		added(name)
	}
}

// Reset removes the requests for these keys, so that a new one nudges the pods again: another issuer may publish a key
// again after it withdrew it.
func (n *Requests) Reset(name string, ids []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	of := n.byName[name]
	if of == nil {
		return
	}
	of.open = slices.DeleteFunc(of.open, func(id string) bool { return slices.Contains(ids, id) })
	maps.DeleteFunc(of.finished, func(id string, _ rotation.Nudged) bool { return slices.Contains(ids, id) })
}

// openFor returns the keys whose pods are still to be nudged.
func (n *Requests) openFor(name string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if of := n.byName[name]; of != nil {
		return append([]string(nil), of.open...)
	}
	return nil
}

// count records how many pods are still to be nudged.
func (n *Requests) count(name string, left int32) {
	n.mu.Lock()
	of := n.byName[name]
	changed := of != nil && (of.left != left || !of.counted)
	if changed {
		of.left, of.counted = left, true
	}
	progressed := n.progressed
	n.mu.Unlock()
	if changed {
		progressed(name)
	}
}

// finish records that the pods of these keys were nudged.
func (n *Requests) finish(name string, ids []string, how rotation.Nudged) {
	n.mu.Lock()
	if of := n.byName[name]; of != nil {
		open := of.open[:0]
		for _, id := range of.open {
			if slices.Contains(ids, id) {
				of.finished[id] = how
			} else {
				open = append(open, id)
			}
		}
		of.open = open
	}
	progressed := n.progressed
	n.mu.Unlock()
	progressed(name)
}

// Finished returns the keys whose pods were nudged.
func (n *Requests) Finished(name string) map[string]rotation.Nudged {
	n.mu.Lock()
	defer n.mu.Unlock()
	if of := n.byName[name]; of != nil {
		return maps.Clone(of.finished)
	}
	return nil
}

// Left returns how many pods are still to be nudged, by open key. It is nil if they were not counted yet.
func (n *Requests) Left(name string) map[string]int32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	of := n.byName[name]
	if of == nil || !of.counted {
		return nil
	}
	left := make(map[string]int32, len(of.open))
	for _, id := range of.open {
		left[id] = of.left
	}
	return left
}

// Forget removes a name that has no SigningKey any more.
func (n *Requests) Forget(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.byName, name)
}

// Added queues the names for which nudges were requested.
func (n *Requests) Added() source.Source { return n.source(&n.added) }

// Progressed queues the names for which pods were counted or nudged.
func (n *Requests) Progressed() source.Source { return n.source(&n.progressed) }

// source returns a source that queues the known names, and those that are added later.
func (n *Requests) source(callback *func(name string)) source.Source {
	return source.Func(func(_ context.Context, q wiring.Queue) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		*callback = func(name string) { q.Add(wiring.Named(name)) }
		for name := range n.byName {
			q.Add(wiring.Named(name))
		}
		return nil
	})
}
