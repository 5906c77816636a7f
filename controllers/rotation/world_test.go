package rotation_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/keywright/keywright/controllers/rotation"
)

// world is everything outside the controllers: the API server's objects, the files of issuers and verifiers, the true
// time. It watches every change and remembers the first broken invariant.
type world struct {
	rnd   *rand.Rand
	now   time.Duration // true time since start
	trace []string
	// quiet drops the trace: it is written when a seed is replayed.
	quiet bool
	wrong string

	policy  rotation.Policy
	oldSpec rotation.Policy // what a lagging cache may still show

	keyring     object[rotation.Keyring]
	secret      object[secret]
	targets     []*target
	issuers     []*file[secret]
	controllers []*controller

	// firstKey signs no sooner than everything else; early are the keys that a revocation promoted.
	early       map[string]bool
	signed      map[string]bool // kids that the Secret ever let sign
	liveUntil   map[string]time.Duration
	revokedIn   map[string]int64 // the keyring generation that recorded it
	made        int              // keys
	born        int              // targets
	activations int
	rotations   int           // scheduled ones
	shortest    time.Duration // the shortest interval that was ever asked for
	last        time.Duration // the last scheduled activation
}

// object is a stored object with its resource version. rv 0 means that it does not exist; versions never repeat. One that
// was deleted and created again has another id.
type object[T any] struct {
	rv, next, id int
	val          T
}

func (o *object[T]) exists() bool { return o.rv != 0 }

func (o *object[T]) put(v T) {
	o.next++
	if o.rv == 0 {
		o.id = o.next
	}
	o.rv, o.val = o.next, v
}

// file is what a pod has of an object: never older than the propagation delay.
type file[T any] struct {
	val      T
	has      bool
	deadline time.Duration // when it is read again at the latest
	clock    time.Duration // how far this pod's clock is ahead
}

type secret struct {
	gen      int64
	active   string
	keys     []string
	lifetime time.Duration
}

type configMap struct {
	gen  int64
	keys []string
	// writes counts the versions that the controllers know of; edited is one that somebody else wrote.
	writes int
	edited bool
}

// target is a namespace with its ConfigMap and one verifier.
type target struct {
	name      string
	cm        object[configMap]
	verifier  file[configMap]
	refuses   bool
	since     time.Duration            // when the verifier's first file was there
	back      time.Duration            // when the ConfigMap was last created
	haveSince map[string]time.Duration // since when the ConfigMap holds each key
	unseen    map[string]bool          // a Standby lost by hand, until a controller has taken note
	shown     [2]cached                // the ConfigMap as the informer of each controller last showed it
}

func newWorld(seed uint64, quiet bool) *world {
	rnd := rand.New(rand.NewPCG(seed, seed))
	w := &world{rnd: rnd, quiet: quiet, early: map[string]bool{}, signed: map[string]bool{}, revokedIn: map[string]int64{}, liveUntil: map[string]time.Duration{}}
	pick := func(ds ...time.Duration) time.Duration { return ds[rnd.IntN(len(ds))] }
	w.policy = rotation.Policy{
		KeySpec:          rotation.KeySpec{Algorithm: "ES256"},
		MaxLifetime:      pick(time.Minute, 10*time.Minute, time.Hour),
		ClockSkew:        pick(time.Second, time.Minute),
		PropagationDelay: pick(time.Minute, 15*time.Minute),
	}
	w.policy.Interval = w.policy.PropagationDelay + w.policy.MaxLifetime + w.policy.ClockSkew +
		pick(0, time.Second, time.Hour, 10*time.Hour)
	w.oldSpec, w.shortest = w.policy, w.policy.Interval
	for range 2 {
		w.issuers = append(w.issuers, &file[secret]{clock: w.skew()})
	}
	for range 1 + rnd.IntN(4) {
		w.addTarget()
	}
	return w
}

func (w *world) addTarget() *target {
	t := &target{
		name: fmt.Sprintf("ns%d", w.born), haveSince: map[string]time.Duration{}, unseen: map[string]bool{},
	}
	w.born++
	t.verifier.clock = w.skew()
	w.targets = append(w.targets, t)
	return t
}

// skew is an offset that any clock may have or step to: all clocks are within ClockSkew of each other.
func (w *world) skew() time.Duration {
	switch w.rnd.IntN(3) {
	case 0:
		return 0
	case 1:
		return w.policy.ClockSkew
	default:
		return time.Duration(w.rnd.Int64N(int64(w.policy.ClockSkew) + 1))
	}
}

func (w *world) log(format string, args ...any) {
	if !w.quiet {
		w.trace = append(w.trace, fmt.Sprintf("%12s  ", w.now.Round(time.Millisecond))+fmt.Sprintf(format, args...))
	}
}

func (w *world) violate(format string, args ...any) {
	if w.wrong == "" {
		w.wrong = fmt.Sprintf(format, args...)
		w.log("BROKEN: %s", w.wrong)
	}
}

// lag is how long a file may go unread from now on.
func (w *world) lag() time.Duration {
	if w.rnd.IntN(3) == 0 {
		return w.policy.PropagationDelay
	}
	return 1 + time.Duration(w.rnd.Int64N(int64(w.policy.PropagationDelay)))
}

// pass lets time go by. No file gets older than the propagation delay on the way.
func (w *world) pass(d time.Duration) {
	end := w.now + d
	for {
		at, issuer, pod, informer := end, -1, (*target)(nil), -1
		for i, f := range w.issuers {
			if f.deadline < at {
				at, issuer = f.deadline, i
			}
		}
		for _, t := range w.targets {
			if t.verifier.deadline < at {
				at, pod, informer = t.verifier.deadline, t, -1
			}
			for i := range w.controllers {
				if d := t.shown[i].deadline; d < at {
					at, pod, informer = d, t, i
				}
			}
		}
		if at >= end {
			w.now = end
			return
		}
		w.now = max(w.now, at)
		switch {
		case informer >= 0:
			w.controllers[informer].refresh(pod)
		case pod != nil:
			w.readVerifier(pod)
		default:
			w.readIssuer(issuer)
		}
	}
}
