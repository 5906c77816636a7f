package dpop

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// The sizes of what Replays keeps: slots at first, the share of them that may be taken, in eighths, how many are looked at with each
// proof for one that has expired, and how long a look at all of them is not repeated.
const (
	firstSlots = 64
	fullEights = 7
	sweptSlots = 8
	sweepPause = time.Second
)

// Replays remembers proofs by (thumbprint, jti), each hashed to 16 bytes, for as long as they could be used again: so each is good
// once (RFC 9449 section 11.1). Its methods may be called by any number of goroutines.
//
// A proof takes 20 bytes in a table that is at most seven eighths full, and doubles when it is. TestReplaysAreSmall measures it: at
// 100,000 proofs a minute, each remembered for 2 minutes, it takes 5.3 MB, and 7.9 MB for the moment in which it grows to that. It
// never becomes smaller.
type Replays struct {
	mutex sync.Mutex
	most  int
	seed  [16]byte // so that nobody can choose which proofs share a place
	slots []slot   // a hash table with linear probing; their number is a power of two
	held  int      // slots that are taken, by expired proofs too
	hand  int      // the slot that is looked at next for an expired proof
	swept time.Time
}

// slot is a place for a proof: free if until is 0.
type slot struct {
	name  [16]byte
	until uint32 // the first second, since 1970, in which it is forgotten
}

// NewReplays returns a memory for this many proofs at once, at least 1.
func NewReplays(most int) *Replays {
	r := &Replays{most: max(most, 1), slots: make([]slot, firstSlots)}
	_, _ = rand.Read(r.seed[:]) // never fails
	return r
}

// Remember remembers a proof until a time has passed. It returns ErrReplayed for one that it holds, and ErrFull when there is no room:
// what that means is the caller's to decide. A proof that cannot be used again even now is not held.
func (r *Replays) Remember(proof *Proof, until, now time.Time) error {
	name := r.name(proof)
	second := secondOf(now)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.sweep(sweptSlots, second)
	if r.find(&name, second) {
		return ErrReplayed
	}
	if until.Before(now) {
		return nil
	}
	if r.held >= r.most && !r.sweepAll(now, second) {
		return ErrFull
	}
	if r.held >= len(r.slots)/8*fullEights {
		r.grow(second)
	}
	r.put(slot{name, secondOf(until) + 1})
	return nil
}

// name is what stands for a proof.
func (r *Replays) name(proof *Proof) [16]byte {
	var buffer [16 + 43 + 1 + maxIDBytes]byte
	text := append(append(append(append(buffer[:0], r.seed[:]...), proof.Thumbprint...), '.'), proof.ID...)
	sum := sha256.Sum256(text)
	return [16]byte(sum[:16])
}

// secondOf is a time in seconds since 1970, as a slot has it: never 0.
func secondOf(t time.Time) uint32 { return uint32(min(max(t.Unix(), 1), 1<<32-2)) }

// home is the slot in which a name is looked for first.
func (r *Replays) home(name *[16]byte) int {
	return int(binary.NativeEndian.Uint32(name[:4])) & (len(r.slots) - 1)
}

// next is the slot behind one.
func (r *Replays) next(at int) int { return (at + 1) & (len(r.slots) - 1) }

// find reports whether a name is held at a second.
func (r *Replays) find(name *[16]byte, second uint32) bool {
	for at := r.home(name); r.slots[at].until != 0; at = r.next(at) {
		if r.slots[at].name == *name {
			return r.slots[at].until > second
		}
	}
	return false
}

// put puts a proof into the first free slot from its home on.
func (r *Replays) put(s slot) {
	at := r.home(&s.name)
	for r.slots[at].until != 0 && r.slots[at].name != s.name {
		at = r.next(at)
	}
	if r.slots[at].until == 0 {
		r.held++
	}
	r.slots[at] = s
}

// sweep looks at some slots, and frees those whose proofs have expired. Who remembers a proof pays for it, so that nobody waits long.
func (r *Replays) sweep(count int, second uint32) {
	for range count {
		at := r.hand & (len(r.slots) - 1)
		if until := r.slots[at].until; until != 0 && until <= second {
			r.free(at) // another proof may stand there now, and is looked at next
			continue
		}
		r.hand = r.next(at)
	}
}

// sweepAll sweeps all slots, if that was not done a moment ago, and reports whether there is room now.
func (r *Replays) sweepAll(now time.Time, second uint32) bool {
	if pause := now.Sub(r.swept); pause >= 0 && pause < sweepPause {
		return false
	}
	r.swept = now
	r.sweep(2*len(r.slots), second)
	return r.held < r.most
}

// free empties a slot, and moves up what stands behind it and could not stand there before.
func (r *Replays) free(at int) {
	r.held--
	for from := r.next(at); r.slots[from].until != 0; from = r.next(from) {
		home := r.home(&r.slots[from].name)
		// It may move if its home is not between the free slot, exclusive, and where it stands, in a circle.
		if (from-home)&(len(r.slots)-1) >= (from-at)&(len(r.slots)-1) {
			r.slots[at] = r.slots[from]
			at = from
		}
	}
	r.slots[at] = slot{}
}

// grow doubles the table, and leaves out what has expired.
func (r *Replays) grow(second uint32) {
	before := r.slots
	r.slots, r.held, r.hand = make([]slot, 2*len(before)), 0, 0
	for _, s := range before {
		if s.until > second {
			r.put(s)
		}
	}
}
