package simulation

import (
	"time"
)

// pass lets time pass. Files and views become no older than allowed meanwhile, and users act when their actions are
// due.
func (w *world) pass(d time.Duration) {
	end := w.now.Add(max(0, d))
	for w.wrong == "" {
		at, do := w.next()
		if do == nil || at.After(end) {
			w.now = end
			return
		}
		if at.After(w.now) {
			w.now = at
		}
		w.step++
		do()
	}
}

// next returns when the next event must happen, whatever the scheduler chooses.
func (w *world) next() (time.Time, func()) {
	at, do := w.users.next()
	sooner := func(t time.Time, f func()) {
		if !t.IsZero() && (do == nil || t.Before(at)) {
			at, do = t, f
		}
	}
	for _, pod := range w.pods.all {
		sooner(pod.due, func() { w.pods.read(pod) })
	}
	for _, p := range w.processes {
		if p != nil {
			t, kind := p.due(w.lag / 2)
			sooner(t, func() { p.catchUp(kind, 1, false) })
		}
	}
	return at, do
}

// mostRuns limits a schedule in which an object is refused for days: a namespace with an unclaimed file is reconciled
// once per second.
const mostRuns = 20_000

// live lets time pass while the processes complete their work at once.
//
// Two leaders do not overlap for long: one of two processes is paused meanwhile, and continues later with what it
// remembers.
func (w *world) live(d time.Duration) {
	if d > time.Second && w.processes[1] != nil {
		w.paused = w.processes[w.rnd.IntN(2)]
		defer func() { w.paused = nil }()
	}
	end := w.now.Add(max(0, d))
	for w.wrong == "" {
		w.settle()
		if w.runs-w.stormy > mostRuns {
			w.pass(end.Sub(w.now))
			return
		}
		at := end
		for _, p := range w.processes {
			if p == nil || p == w.paused {
				continue
			}
			for _, c := range p.workloads {
				if t := c.queue.next(); !t.IsZero() && t.Before(at) {
					at = t
				}
			}
		}
		if t, do := w.next(); do != nil && t.Before(at) {
			at = t
		}
		if !at.Before(end) {
			w.pass(end.Sub(w.now))
			w.settle()
			return
		}
		w.pass(max(0, at.Sub(w.now)))
	}
}

// settle delivers all changes to the processes, and runs all that is ready.
func (w *world) settle() {
	for turns := 0; w.wrong == ""; turns++ {
		if turns > 5000 {
			w.violate("invariant 7: the processes never come to rest")
			return
		}
		busy := false
		for _, p := range w.processes {
			busy = p != nil && p != w.paused && p.turn() || busy
		}
		if !busy || w.paused == nil && w.processes[1] != nil && turns > 30 {
			for _, p := range w.processes {
				if p != nil && p != w.paused && p.worked.IsZero() {
					p.worked = w.now
				}
			}
			return
		}
	}
}

// turn delivers all changes to a process, continues its activities, and begins all that are ready.
func (p *process) turn() bool {
	busy := false
	for _, kind := range p.w.watchedKinds() {
		if n := p.behind(kind); n > 0 {
			busy = true
			p.catchUp(kind, n, false)
		}
	}
	for len(p.working) > 0 && p.w.wrong == "" {
		busy = true
		p.advance(p.working[0])
	}
	for _, c := range p.workloads {
		c.queue.wake()
		for c.queue.Len() > 0 && p.w.wrong == "" {
			busy = true
			for a := p.begin(c, 0); !p.advance(a); {
			}
		}
	}
	return busy
}
