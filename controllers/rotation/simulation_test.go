package rotation_test

import (
	"flag"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/controllers/rotation"
)

var (
	schedules = flag.Uint64("schedules", 20_000, "how many seeded schedules to simulate")
	seed      = flag.Uint64("seed", 0, "replay this one schedule and print its trace")
)

// TestSimulation runs seeded schedules of random faults and asserts the invariants of the design at every step.
// A failing seed replays alone: go test ./controllers/rotation -run TestSimulation -seed N -v.
func TestSimulation(t *testing.T) {
	if *seed != 0 {
		w, rotations := simulate(*seed, false)
		t.Logf("seed %d, %d rotations:\n%s", *seed, rotations, w)
		if w.wrong != "" {
			t.Fatal(w.wrong)
		}
		return
	}
	if testing.Short() {
		*schedules = min(*schedules, 4_000)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // a schedule leaves much garbage and keeps little
	var next, rotations atomic.Uint64
	var failed sync.Map
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for n := next.Add(1); n <= *schedules; n = next.Add(1) {
				w, r := simulate(n, true)
				rotations.Add(uint64(r))
				if w.wrong != "" {
					failed.Store(n, w.wrong)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d schedules, %d scheduled rotations", *schedules, rotations.Load())
	if rotations.Load() < *schedules {
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
		if i == 10 {
			t.Errorf("and %d more seeds", len(seeds)-10)
			break
		}
		wrong, _ := failed.Load(n)
		t.Errorf("seed %d: %v (replay with -seed %d)", n, wrong, n)
	}
	if len(seeds) > 0 {
		w, _ := simulate(seeds[0], false)
		t.Errorf("trace of seed %d:\n%s", seeds[0], w)
	}
}

// simulate runs one schedule: a storm of faults over several rotations, then calm, in which all must converge.
func simulate(n uint64, quiet bool) (*world, int) {
	w := newWorld(n, quiet)
	controllers := []*controller{newController(w, "c0"), newController(w, "c1")}
	end := 4*w.policy.Interval + time.Hour
	running := 1
	for i := 0; i < 1500 && w.now < end && w.wrong == ""; i++ {
		switch k := w.rnd.IntN(100); {
		case k < 30:
			controllers[w.rnd.IntN(running)].step()
		case k < 52:
			controllers[w.rnd.IntN(running)].distribute()
		case k < 66:
			c := controllers[w.rnd.IntN(running)]
			if len(w.targets) > 0 {
				c.refresh(w.targets[w.rnd.IntN(len(w.targets))])
			}
		case k < 74:
			w.sign(w.rnd.IntN(len(w.issuers)))
		case k < 90:
			w.advance()
		case k < 94:
			w.wake(controllers[w.rnd.IntN(running)])
		case k < 95:
			running = 1 + w.rnd.IntN(2)
		case k < 96:
			controllers[w.rnd.IntN(running)].crash()
		default:
			w.fault(controllers)
		}
	}
	w.calm(controllers[0])
	w.checkShape(w.keyring.val)
	return w, w.rotations
}

// advance lets a while pass: mostly seconds, sometimes minutes, seldom a good part of a rotation.
func (w *world) advance() {
	switch w.rnd.IntN(10) {
	case 0:
		w.pass(time.Duration(w.rnd.Int64N(int64(w.policy.Interval))))
	case 1, 2, 3:
		w.pass(time.Duration(w.rnd.Int64N(int64(w.policy.PropagationDelay + w.policy.ClockSkew))))
	default:
		w.pass(time.Duration(w.rnd.Int64N(int64(10 * time.Second))))
	}
	for i := range w.issuers {
		w.sign(i)
	}
}

// wake lets time pass to the very moment that a controller waits for, and lets it act. Its clock may step just then.
func (w *world) wake(c *controller) {
	at := c.decision.Wake.Sub(epoch)
	if c.decision.Wake.IsZero() || at < w.now {
		return
	}
	if w.rnd.IntN(2) == 0 {
		c.clock = w.skew()
	}
	w.pass(max(0, at-c.clock-w.now))
	for range 6 {
		c.step()
		c.distribute()
	}
	for _, t := range w.targets {
		w.readVerifier(t)
	}
	w.sign(w.rnd.IntN(len(w.issuers)))
}

// calm ends the storm: everything works, one controller runs, and all must come to rest, right, within bounds.
func (w *world) calm(c *controller) {
	if w.wrong != "" {
		return
	}
	w.log("calm")
	w.oldSpec = w.policy
	c.crash()
	for _, t := range w.targets {
		t.refuses = false
	}
	if w.keyring.exists() && w.secret.exists() && w.keyring.val.Generation < w.secret.val.gen {
		w.keyring = object[rotation.Keyring]{next: w.keyring.next} // the documented way out of a restored keyring
	}
	w.settle(c)
	if w.wrong == "" && w.keyring.val.Stopped != "" { // a rebuilt keyring without a key to sign with: the next one waits
		w.pass(w.policy.PropagationDelay + 3*w.policy.ClockSkew)
		w.settle(c)
	}
	if w.wrong == "" && !w.policy.Manual {
		before := w.activations
		w.pass(w.policy.Interval + w.policy.PropagationDelay + 3*w.policy.ClockSkew)
		w.settle(c)
		if w.wrong == "" && w.activations == before {
			w.violate("no rotation came in calm weather")
		}
	}
}

// settle runs the controller until nothing changes any more.
func (w *world) settle(c *controller) {
	quiet := 0
	for range 2000 {
		before := [3]int{w.keyring.next, w.secret.next, 0}
		for _, t := range w.targets {
			c.refresh(t)
			before[2] += t.cm.next
		}
		c.step()
		for _, t := range w.targets {
			c.distribute()
			if c.projection != nil && c.inFlight == nil {
				c.distributeTo(t)
			}
		}
		w.pass(10 * time.Millisecond)
		after := [3]int{w.keyring.next, w.secret.next, 0}
		for _, t := range w.targets {
			after[2] += t.cm.next
		}
		if quiet++; after != before {
			quiet = 0
		}
		if quiet > 40 || w.wrong != "" {
			w.checkSettled()
			return
		}
	}
	w.violate("invariant 7: it never comes to rest")
}

// checkSettled asserts that all projections say what the keyring says, and that one key signs and one waits.
func (w *world) checkSettled() {
	if w.wrong != "" {
		return
	}
	r := w.keyring.val
	if at := w.controllers[0].decision.Rotation.At(); r.Active() == nil && r.Stopped != "" && at.After(epoch.Add(w.now)) {
		return // the next key waits until verifiers know it
	}
	if r.Active() == nil || r.Standby() == nil {
		w.violate("at rest without an Active or a Standby key")
		return
	}
	want := slices.Sorted(slices.Values(r.PublishedIDs()))
	if s := w.secret.val; s.active != r.Active().ID || !slices.Equal(s.keys, want) {
		w.violate("at rest the Secret holds %v, active %s; the keyring %v", s.keys, s.active, want)
	}
	for _, t := range w.targets {
		if !slices.Equal(t.cm.val.keys, want) {
			w.violate("at rest %s holds %v, the keyring %v", t.name, t.cm.val.keys, want)
		}
	}
	for _, kid := range want {
		if w.revoked(kid) {
			w.violate("invariant 3: at rest the revoked %s is published", kid)
		}
	}
}
