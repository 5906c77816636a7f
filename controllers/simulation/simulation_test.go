package simulation

import (
	"flag"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

var (
	schedules = flag.Uint64("schedules", 500, "how many seeded schedules to simulate")
	seed      = flag.Uint64("seed", 0, "replay this one schedule and print its trace")
	limit     = flag.Duration("within", 0, "begin no schedule after this time, if it is not zero")
	until     = flag.Bool("until-failure", false, "begin no schedule after one that failed")
	first     = flag.Uint64("first", 1, "the seed of the first schedule")
)

// compareEvery is how often a schedule is run again without faults.
const compareEvery = 10

// TestSimulation runs schedules of random faults from seeds with the real product, and checks the invariants of the
// design after every step. To replay a failing seed: go test ./controllers/simulation -run TestSimulation -seed N -v.
func TestSimulation(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	if *seed != 0 {
		w := simulate(*seed, false, false)
		if *seed%compareEvery == 0 {
			w.compare(*seed)
		}
		t.Logf("seed %d:\n%s", *seed, w)
		if w.wrong != "" {
			t.Fatal(w.wrong)
		}
		return
	}
	if testing.Short() {
		*schedules = min(*schedules, 100)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // a schedule allocates much and keeps little
	var next, rotations, runs, tokens atomic.Uint64
	next.Store(*first - 1)
	start, done := time.Now(), atomic.Uint64{}
	var broken atomic.Bool
	var failed sync.Map
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for n := next.Add(1); n < *first+*schedules && (*limit == 0 || time.Since(start) < *limit) && (!*until || !broken.Load()); n = next.Add(1) {
				w := simulate(n, true, false)
				if n%compareEvery == 0 {
					w.compare(n)
				}
				done.Add(1)
				rotations.Add(uint64(w.rotations))
				runs.Add(uint64(w.runs))
				tokens.Add(uint64(w.pods.tokens))
				if w.wrong != "" {
					broken.Store(true)
					failed.Store(n, w.wrong)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d schedules in %s: %d rotations, %d reconciliations, %d tokens", done.Load(), time.Since(start).Round(time.Second), rotations.Load(), runs.Load(), tokens.Load())
	if rotations.Load() < 3*done.Load() {
		t.Errorf("only %d rotations: the schedules do not exercise what they should", rotations.Load())
	}
	report(t, &failed)
}

// report prints the first failing seeds, and the whole trace of the first.
func report(t *testing.T, failed *sync.Map) {
	t.Helper()
	var seeds []uint64
	failed.Range(func(k, _ any) bool { seeds = append(seeds, k.(uint64)); return true })
	slices.Sort(seeds)
	for i, n := range seeds {
		if i == 20 {
			t.Errorf("and %d more seeds", len(seeds)-20)
			break
		}
		wrong, _ := failed.Load(n)
		t.Errorf("seed %d: %v (replay with -seed %d -v)", n, wrong, n)
	}
}

// simulate runs one schedule: a storm of faults over several rotations, then calm, in which the state must converge.
func simulate(n uint64, quiet, clean bool) *world {
	w := newWorld(n, quiet, clean)
	defer w.close()
	w.users.begin()
	w.processes[0] = w.startProcess(0)
	end := w.now.Add(w.users.ends)
	for i := 0; i < 600 && w.now.Before(end) && w.wrong == ""; i++ {
		w.act()
	}
	w.live(end.Sub(w.now)) // the remaining actions of users
	if w.runs <= mostRuns {
		w.calm()
	}
	w.end = w.summary()
	return w
}

// act runs one step of the storm.
func (w *world) act() {
	w.step++
	switch k := w.rnd.IntN(100); {
	case k < 35:
		w.work()
	case k < 50:
		if p := w.anyProcess(); p != nil {
			kinds := w.watchedKinds()
			kind := kinds[w.rnd.IntN(len(kinds))]
			if n := p.behind(kind); n > 0 {
				p.catchUp(kind, 1+w.rnd.IntN(n), w.rnd.IntN(4) == 0)
			}
		}
	case k < 56:
		w.pods.read(w.pods.all[w.rnd.IntN(len(w.pods.all))])
	case k < 64:
		w.signAll()
	case k < 80:
		w.let()
	case k < 88:
		w.wake()
	case k < 90:
		w.second()
	case k < 91:
		w.lull()
	case k < 92:
		i := w.rnd.IntN(2)
		if p := w.processes[i]; p != nil && !w.faults.clean {
			p.end()
			w.processes[i] = w.startProcess(i)
		}
	default:
		w.faults.strike()
	}
}

func (w *world) signAll() {
	for _, p := range w.pods.all {
		if p.issuer {
			w.sign(p)
		}
	}
}

// work runs a few steps of a process: it continues an activity, or begins one.
func (w *world) work() {
	p := w.anyProcess()
	for range 1 + w.rnd.IntN(12) {
		for _, c := range p.workloads {
			c.queue.wake()
		}
		if len(p.working) > 0 && w.rnd.IntN(4) > 0 {
			p.advance(p.working[w.rnd.IntN(len(p.working))])
			continue
		}
		c := p.workloads[w.rnd.IntN(len(p.workloads))]
		if n := c.queue.Len(); n > 0 {
			p.advance(p.begin(c, w.rnd.IntN(n)))
		}
	}
}

// let lets time pass: mostly seconds, sometimes minutes, rarely a large part of a rotation. Processes may work
// meanwhile.
func (w *world) let() {
	var d time.Duration
	switch w.rnd.IntN(10) {
	case 0, 1:
		d = time.Duration(w.rnd.Int64N(int64(w.users.spec.Rotation.Interval.Duration)))
	case 2, 3, 4:
		d = time.Duration(w.rnd.Int64N(int64(w.lag + w.skew)))
	default:
		d = time.Duration(w.rnd.Int64N(int64(10 * time.Second)))
	}
	if w.faults.clean || w.rnd.IntN(3) > 0 {
		w.live(d)
	} else {
		w.pass(d)
	}
	w.signAll()
}

// wake lets time pass until a process is due. Its clock may step at that time, and an event may wake it earlier.
func (w *world) wake() {
	p := w.anyProcess()
	var at time.Time
	for _, c := range p.workloads {
		if t := c.queue.next(); !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if at.IsZero() || at.Sub(w.now) > w.users.ends {
		return
	}
	wait := at.Sub(w.now)
	if w.rnd.IntN(2) == 0 {
		step := w.clockOffset() - p.clock
		p.clock += step
		wait -= max(0, step)
	}
	w.pass(max(0, wait))
	p.workloads[0].queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: signingKey}})
	for range 3 {
		if w.rnd.IntN(3) > 0 {
			p.turn()
		} else {
			w.work()
		}
	}
	for _, pod := range w.pods.all {
		if w.rnd.IntN(2) == 0 {
			w.pods.read(pod)
		}
	}
	w.signAll()
}

// second starts a second leader, or ends it.
func (w *world) second() {
	switch {
	case w.faults.clean:
	case w.processes[1] == nil:
		w.processes[1] = w.startProcess(1)
	default:
		w.processes[1].end()
		w.processes[1] = nil
	}
}
