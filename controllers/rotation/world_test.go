package rotation_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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

// readIssuer refreshes an issuer's files. A missing Secret leaves them in place. To make it hard, a last token is signed
// by the old ones.
func (w *world) readIssuer(i int) {
	f := w.issuers[i]
	w.sign(i)
	f.deadline = w.now + w.lag()
	if w.secret.exists() {
		f.has, f.val = true, w.secret.val
	}
}

// readVerifier refreshes a verifier's file, and checks that it can still verify every live token.
func (w *world) readVerifier(t *target) {
	t.verifier.deadline = w.now + w.lag()
	if !t.cm.exists() {
		return
	}
	if !t.verifier.has {
		t.since = w.now
	}
	t.verifier.has, t.verifier.val = true, t.cm.val
	for kid, until := range w.liveUntil {
		if until > w.now {
			w.mustKnow(t, kid, "lost the key of a live token")
		} else {
			delete(w.liveUntil, kid)
		}
	}
}

// mustKnow is invariant 1, with its two exceptions.
func (w *world) mustKnow(t *target, kid, what string) {
	if !t.verifier.has || slices.Contains(t.verifier.val.keys, kid) || w.revoked(kid) || t.unseen[kid] {
		return
	}
	if w.now <= t.since+w.policy.PropagationDelay {
		return // a verifier that had no file of this name yet
	}
	if !t.cm.exists() || w.now <= t.back+w.policy.PropagationDelay {
		return // a target without a ConfigMap is not awaited: its files stay as they are until it has one again
	}
	since, have := t.haveSince[kid]
	if w.early[kid] && (!have || w.now <= since+w.policy.PropagationDelay) {
		return // the key that a revocation activates young
	}
	w.violate("invariant 1: verifier in %s %s %s", t.name, what, kid)
}

// sign issues a token at an issuer, as long-lived as its policy allows.
func (w *world) sign(i int) {
	f := w.issuers[i]
	if !f.has || f.val.active == "" {
		return
	}
	kid := f.val.active
	if w.revoked(kid) {
		return // rejected, and meant to be
	}
	w.liveUntil[kid] = max(w.liveUntil[kid], w.now+f.val.lifetime)
	for _, t := range w.targets {
		w.mustKnow(t, kid, "does not know the signer")
	}
}

func (w *world) revoked(kid string) bool {
	return slices.Contains(w.policy.Revoked, kid) || w.recorded(kid)
}

// recorded tells whether the keyring has a revocation of kid on record.
func (w *world) recorded(kid string) bool {
	return slices.ContainsFunc(w.keyring.val.Revoked, func(r rotation.Revocation) bool { return r.ID == kid })
}

// putKeyring stores a keyring and checks its shape.
func (w *world) putKeyring(r rotation.Keyring, moves []rotation.Move) {
	w.keyring.put(r)
	if w.keyring.next%8 == 0 { // it takes longer than everything else
		w.checkShape(r)
	}
	for _, v := range r.Revoked {
		if _, ok := w.revokedIn[v.ID]; !ok {
			w.revokedIn[v.ID] = r.Generation
		}
	}
	for _, m := range moves {
		if m.Kind != rotation.Activate {
			continue
		}
		w.early[m.KeyID] = m.Early
		w.activations++
		if m.Reason == rotation.Scheduled {
			if w.rotations > 0 && w.now-w.last < w.shortest-w.policy.ClockSkew {
				w.violate("invariant 5: two scheduled rotations within %s", w.now-w.last)
			}
			w.rotations, w.last = w.rotations+1, w.now
		}
	}
	if s := r.Standby(); s != nil && s.PublishedAt.IsZero() {
		for _, t := range w.targets {
			delete(t.unseen, s.ID)
		}
	}
}

// checkShape has the keyring checked as the controller does when it reads it back.
func (w *world) checkShape(r rotation.Keyring) {
	b, err := r.Encode()
	if err == nil {
		_, err = rotation.Decode(b)
	}
	if err != nil {
		w.violate("invariant 4 or 5: %v", err)
	}
}

// putSecret stores a signing-key Secret and checks what it lets issuers sign with.
func (w *world) putSecret(s secret) {
	if old := w.secret.val; w.secret.exists() {
		if s.gen < old.gen {
			w.violate("invariant 6: the Secret goes back from %d to %d", old.gen, s.gen)
		}
	}
	w.checkRevoked("the Secret", s.gen, s.keys)
	if s.active != "" && !w.signed[s.active] && !w.early[s.active] && !w.revoked(s.active) {
		w.checkPublished(s.active)
	}
	w.signed[s.active] = true
	for i, f := range w.issuers {
		if w.rnd.IntN(2) == 0 { // this one has read just before, and will not for as long as it may
			w.readIssuer(i)
			f.deadline = w.now + w.policy.PropagationDelay
		}
	}
	w.secret.put(s)
}

// checkPublished is invariant 2.
func (w *world) checkPublished(kid string) {
	for _, t := range w.targets {
		since, have := t.haveSince[kid]
		if !t.cm.exists() || t.unseen[kid] || w.now <= t.back+w.policy.PropagationDelay {
			continue
		}
		if !have || w.now < since+w.policy.PropagationDelay {
			w.violate("invariant 2: %s signs, and is in %s since %s (%v)", kid, t.name, since, have)
		}
	}
}

// checkRevoked is invariant 3: no projection of a keyring that knows of a revocation holds the key. (A second controller
// that does not know of it yet may be one write behind; generations see to it that this write never replaces a later one.)
func (w *world) checkRevoked(what string, gen int64, kids []string) {
	for _, kid := range kids {
		if in, ok := w.revokedIn[kid]; ok && gen >= in {
			w.violate("invariant 3: %s of generation %d holds %s, revoked in %d", what, gen, kid, in)
		}
	}
}

// putConfigMap stores a target's ConfigMap as a controller wrote it.
func (w *world) putConfigMap(t *target, cm configMap) {
	if old := t.cm.val; t.cm.exists() {
		if cm.gen < old.gen {
			w.violate("invariant 6: %s goes back from %d to %d", t.name, old.gen, cm.gen)
		}
	}
	w.checkRevoked(t.name, cm.gen, cm.keys)
	w.edit(t, cm)
}

// edit stores a ConfigMap, whoever wrote it.
func (w *world) edit(t *target, cm configMap) {
	if !t.cm.exists() {
		t.back = w.now
	}
	if t.verifier.has && w.rnd.IntN(2) == 0 { // this one has read just before, and will not for as long as it may
		w.readVerifier(t)
		t.verifier.deadline = w.now + w.policy.PropagationDelay
	}
	t.cm.put(cm)
	for kid := range t.haveSince {
		if !slices.Contains(cm.keys, kid) {
			delete(t.haveSince, kid)
		}
	}
	for _, kid := range cm.keys {
		if _, ok := t.haveSince[kid]; !ok {
			t.haveSince[kid] = w.now
		}
	}
	if !t.verifier.has {
		w.readVerifier(t) // a pod starts as soon as it can mount
	}
}

// newKey plays the key generator.
func (w *world) newKey() rotation.Material {
	w.made++
	id := fmt.Sprintf("k%d", w.made)
	return rotation.Material{ID: id, Public: []byte(`{"kid":"` + id + `"}`), Private: rotation.PrivateJWK(`{"d":"` + id + `"}`)}
}

func (w *world) String() string { return strings.Join(w.trace, "\n") }
