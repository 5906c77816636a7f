package dpop

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// The parameters of Replays: the initial number of slots, the maximum share of used slots in eighths, the number of
// slots swept per proof, and the minimum interval between two full sweeps.
const (
	firstSlots = 64
	fullEights = 7
	sweptSlots = 8
	sweepPause = time.Second
)

// Replays stores proofs by the 16-byte hash of (thumbprint, jti), for as long as they could be replayed, so that each
// is valid once (RFC 9449 section 11.1). Its methods are safe for concurrent use.
//
// A proof takes 20 bytes in a hash table that doubles when it is seven eighths full. TestReplaysAreSmall measures it:
// at 100,000 proofs per minute, each stored for 2 minutes, it takes 5.3 MB, and 7.9 MB while it grows to that size.
// It never shrinks.
type Replays struct {
	mutex     sync.Mutex
	most      int
	seed      [16]byte // prevents chosen collisions
	slots     []slot   // a hash table with linear probing; their number is a power of two
	used      int      // used slots, including those of expired proofs
	nextSwept int      // the slot to sweep next
	swept     time.Time
}

// slot is an entry of the table. It is free if until is 0.
type slot struct {
	name  [16]byte
	until uint32 // the second, since 1970, in which the entry expires
}

// NewReplays returns an empty Replays with room for this many proofs, at least 1.
func NewReplays(most int) *Replays {
	r := &Replays{most: max(most, 1), slots: make([]slot, firstSlots)}
	_, _ = rand.Read(r.seed[:]) // never fails
	return r
}

// Remember stores a proof until a time. It returns ErrReplayed if the proof is already stored, and ErrFull if there
// is no room; the caller decides whether to accept the proof then. It does not store a proof that has already
// expired.
func (r *Replays) Remember(proof *Proof, until, now time.Time) error {
	name := r.hash(proof)
	second := unixSeconds(now)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.sweep(sweptSlots, second)
	if r.contains(&name, second) {
		return ErrReplayed
	}
	if until.Before(now) {
		return nil
	}
	if r.used >= r.most && !r.sweepAll(now, second) {
		return ErrFull
	}
	if r.used >= len(r.slots)/8*fullEights {
		r.grow(second)
	}
	r.insert(slot{name, unixSeconds(until) + 1})
	return nil
}

// hash returns the key of a proof in the table.
func (r *Replays) hash(proof *Proof) [16]byte {
	var buffer [16 + 43 + 1 + maxIDBytes]byte
	text := append(append(append(append(buffer[:0], r.seed[:]...), proof.Thumbprint...), '.'), proof.ID...)
	sum := sha256.Sum256(text)
	return [16]byte(sum[:16])
}

// unixSeconds returns a time in seconds since 1970, at least 1, as stored in a slot.
func unixSeconds(t time.Time) uint32 { return uint32(min(max(t.Unix(), 1), 1<<32-2)) }

// homeSlot returns the slot where the search for a hash begins.
func (r *Replays) homeSlot(name *[16]byte) int {
	return int(binary.NativeEndian.Uint32(name[:4])) & (len(r.slots) - 1)
}

// next returns the index after a slot.
func (r *Replays) next(at int) int { return (at + 1) & (len(r.slots) - 1) }

// contains reports whether a hash is stored and has not expired.
func (r *Replays) contains(name *[16]byte, second uint32) bool {
	for at := r.homeSlot(name); r.slots[at].until != 0; at = r.next(at) {
		if r.slots[at].name == *name {
			return r.slots[at].until > second
		}
	}
	return false
}

// insert stores an entry in the first free slot, beginning with its home slot.
func (r *Replays) insert(s slot) {
	at := r.homeSlot(&s.name)
	for r.slots[at].until != 0 && r.slots[at].name != s.name {
		at = r.next(at)
	}
	if r.slots[at].until == 0 {
		r.used++
	}
	r.slots[at] = s
}

// sweep frees the expired entries among the next count slots. Each call of Remember sweeps some, so that none takes
// long.
func (r *Replays) sweep(count int, second uint32) {
	for range count {
		at := r.nextSwept & (len(r.slots) - 1)
		if until := r.slots[at].until; until != 0 && until <= second {
			r.free(at) // another entry may have moved here
			continue
		}
		r.nextSwept = r.next(at)
	}
}

// sweepAll sweeps all slots, unless that was done recently, and reports whether there is room.
func (r *Replays) sweepAll(now time.Time, second uint32) bool {
	if pause := now.Sub(r.swept); pause >= 0 && pause < sweepPause {
		return false
	}
	r.swept = now
	r.sweep(2*len(r.slots), second)
	return r.used < r.most
}

// free empties a slot, and moves later entries of the probe sequence forward.
func (r *Replays) free(at int) {
	r.used--
	for from := r.next(at); r.slots[from].until != 0; from = r.next(from) {
		home := r.homeSlot(&r.slots[from].name)
		// An entry may move unless its home slot lies cyclically after the free slot, up to its own.
		if (from-home)&(len(r.slots)-1) >= (from-at)&(len(r.slots)-1) {
			r.slots[at] = r.slots[from]
			at = from
		}
	}
	r.slots[at] = slot{}
}

// grow doubles the table, and drops expired entries.
func (r *Replays) grow(second uint32) {
	before := r.slots
	r.slots, r.used, r.nextSwept = make([]slot, 2*len(before)), 0, 0
	for _, s := range before {
		if s.until > second {
			r.insert(s)
		}
	}
}
