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

// Requests is what the signingkey controller asks of the nudge controller, and what came of it, within one process. Nothing
// in it is a truth: after a restart, what no keyring records as done is asked for again, and a pod is touched once more.
type Requests struct {
	mu     sync.Mutex
	byName map[string]*request
	// asked and progressed are called without the lock, with the name of a SigningKey.
	asked, progressed func(name string)
}

// request are those of one SigningKey.
type request struct {
	// open are the revoked keys whose pods are still to be touched.
	open []string
	// Finished are those whose pods were.
	finished map[string]rotation.Nudged
	// Left counts the pods that wait, once they were counted.
	left    int32
	counted bool
}

// NewRequests returns an empty store.
func NewRequests() *Requests {
	return &Requests{byName: map[string]*request{}, asked: func(string) {}, progressed: func(string) {}}
}

// Ask wants the pods touched that may know these revoked keys. Asking again changes nothing.
func (n *Requests) Ask(name string, ids []string) {
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
	more, asked := len(of.open) > before, n.asked
	n.mu.Unlock()
	if more {
		asked(name)
	}
}

// Reset forgets that these keys were asked for, so that asking for them again touches the pods again: another issuer may publish a key
// anew after it withdrew it.
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

// openFor returns the keys whose pods are still to be touched.
func (n *Requests) openFor(name string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if of := n.byName[name]; of != nil {
		return append([]string(nil), of.open...)
	}
	return nil
}

// count notes how many pods wait.
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

// finish notes that the pods of these keys were touched.
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

// Finished returns what is done.
func (n *Requests) Finished(name string) map[string]rotation.Nudged {
	n.mu.Lock()
	defer n.mu.Unlock()
	if of := n.byName[name]; of != nil {
		return maps.Clone(of.finished)
	}
	return nil
}

// Left returns for each open key how many pods wait, once they were counted.
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

// Forget drops a name that has no SigningKey any more.
func (n *Requests) Forget(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.byName, name)
}

// Asked queues the names for which pods are to be touched.
func (n *Requests) Asked() source.Source { return n.source(&n.asked) }

// Progressed queues the names for which pods were counted or touched.
func (n *Requests) Progressed() source.Source { return n.source(&n.progressed) }

// source sets a callback that queues names, and queues those that came before.
func (n *Requests) source(tell *func(name string)) source.Source {
	return source.Func(func(_ context.Context, q wiring.Queue) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		*tell = func(name string) { q.Add(wiring.Named(name)) }
		for name := range n.byName {
			q.Add(wiring.Named(name))
		}
		return nil
	})
}
