package simulation

import (
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// queue is the work queue of one controller in simulated time. An item that is added while it is processed is queued
// again after that.
type queue struct {
	now      func() time.Time
	ready    []reconcile.Request
	working  map[reconcile.Request]bool
	again    map[reconcile.Request]bool
	later    map[reconcile.Request]time.Time
	failures map[reconcile.Request]int
}

func newQueue(now func() time.Time) *queue {
	return &queue{
		now: now, working: map[reconcile.Request]bool{}, again: map[reconcile.Request]bool{},
		later: map[reconcile.Request]time.Time{}, failures: map[reconcile.Request]int{},
	}
}

// Add implements wiring.Queue, like the other methods.
func (q *queue) Add(item reconcile.Request) {
	switch {
	case q.working[item]:
		q.again[item] = true
	case !slices.Contains(q.ready, item):
		q.ready = append(q.ready, item)
	}
}

func (q *queue) AddAfter(item reconcile.Request, d time.Duration) {
	if d <= 0 {
		q.Add(item)
		return
	}
	at := q.now().Add(d)
	if was, waits := q.later[item]; !waits || at.Before(was) {
		q.later[item] = at
	}
}

func (q *queue) AddRateLimited(item reconcile.Request) {
	n := q.failures[item]
	q.failures[item]++
	q.AddAfter(item, min(5*time.Millisecond<<min(n, 14), 60*time.Second))
}

func (q *queue) Forget(item reconcile.Request)          { delete(q.failures, item) }
func (q *queue) NumRequeues(item reconcile.Request) int { return q.failures[item] }
func (q *queue) Len() int                               { return len(q.ready) }
func (q *queue) ShutDown()                              {}
func (q *queue) ShutDownWithDrain()                     {}
func (q *queue) ShuttingDown() bool                     { return false }

// Get removes the first item. The queue must not be empty.
func (q *queue) Get() (reconcile.Request, bool) { return q.take(0), false }

func (q *queue) take(i int) reconcile.Request {
	item := q.ready[i]
	q.ready = slices.Delete(q.ready, i, i+1)
	q.working[item] = true
	return item
}

// Done marks an item as processed.
func (q *queue) Done(item reconcile.Request) {
	delete(q.working, item)
	if q.again[item] {
		delete(q.again, item)
		q.Add(item)
	}
}

// wake moves the delayed items that are due to the ready ones.
func (q *queue) wake() {
	var due []reconcile.Request
	for item, at := range q.later {
		if !at.After(q.now()) {
			due = append(due, item)
		}
	}
	slices.SortFunc(due, func(a, b reconcile.Request) int { return slices.Compare([]string{a.Name}, []string{b.Name}) })
	for _, item := range due {
		delete(q.later, item)
		q.Add(item)
	}
}

// next returns when the next delayed item is due, zero if there is none.
func (q *queue) next() time.Time {
	var first time.Time
	for _, at := range q.later {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}
