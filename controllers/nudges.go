package controllers

import (
	"maps"
	"slices"
	"sync"

	"github.com/keywright/keywright/controllers/rotation"
)

// Nudges is what the signingkey controller asks of the nudge controller, and what came of it, within one process. Nothing
// in it is a truth: after a restart, what no keyring records as done is asked for again, and a pod is touched once more.
type Nudges struct {
	mu     sync.Mutex
	byName map[string]*nudges
	// asked and progressed are called without the lock, with the name of a SigningKey.
	asked, progressed func(name string)
}

// nudges are those of one SigningKey.
type nudges struct {
	// open are the revoked keys whose pods are still to be touched.
	open []string
	// finished are those whose pods were.
	finished map[string]rotation.Nudged
	// left counts the pods that wait, once they were counted.
	left    int32
	counted bool
}

// NewNudges returns an empty store.
func NewNudges() *Nudges {
	return &Nudges{byName: map[string]*nudges{}, asked: func(string) {}, progressed: func(string) {}}
}

// ask wants the pods touched that may know these revoked keys. Asking again changes nothing.
func (n *Nudges) ask(name string, ids []string) {
	n.mu.Lock()
	of := n.byName[name]
	if of == nil {
		of = &nudges{finished: map[string]rotation.Nudged{}}
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

// openFor returns the keys whose pods are still to be touched.
func (n *Nudges) openFor(name string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if of := n.byName[name]; of != nil {
		return append([]string(nil), of.open...)
	}
	return nil
}

// count notes how many pods wait.
func (n *Nudges) count(name string, left int32) {
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
func (n *Nudges) finish(name string, ids []string, how rotation.Nudged) {
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

// finished returns what is done.
func (n *Nudges) finished(name string) map[string]rotation.Nudged {
	n.mu.Lock()
	defer n.mu.Unlock()
	if of := n.byName[name]; of != nil {
		return maps.Clone(of.finished)
	}
	return nil
}

// left returns for each open key how many pods wait, once they were counted.
func (n *Nudges) left(name string) map[string]int32 {
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

// forget drops a name that has no SigningKey any more.
func (n *Nudges) forget(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.byName, name)
}
