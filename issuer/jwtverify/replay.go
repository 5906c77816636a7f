package jwtverify

import (
	"crypto/sha256"
	"maps"
	"slices"
	"sync"
	"time"
)

// maxReplays is the maximum number of stored JWT IDs, in some 3 MB.
const maxReplays = 100_000

// digest is a hash of a client and a JWT ID.
type digest [16]byte

// Replays stores the IDs of JWTs until they expire. It is local to the replica, and best effort: if it is full, it
// drops those that expire first.
type Replays struct {
	mu sync.Mutex
	// seen contains the IDs by the minute, since 1970, in which they expire, so that all of a minute are dropped
	// together.
	seen map[int64]map[digest]struct{}
	n    int
}

// NewReplays returns an empty Replays.
func NewReplays() *Replays { return &Replays{seen: map[int64]map[digest]struct{}{}} }

// First stores an ID until it expires, and reports whether it is the first use by the client.
func (r *Replays) First(client, id string, expiry, now time.Time) bool {
	sum := sha256.Sum256([]byte(client + "\x00" + id))
	key := digest(sum[:])
	r.mu.Lock()
	defer r.mu.Unlock()
	for minute, ids := range r.seen {
		if minute < now.Unix()/60 {
			r.forget(minute)
		} else if _, ok := ids[key]; ok {
			return false
		}
	}
	if r.n >= maxReplays {
		r.forget(slices.Min(slices.Collect(maps.Keys(r.seen))))
	}
	until := expiry.Add(Skew).Unix() / 60
	if r.seen[until] == nil {
		r.seen[until] = map[digest]struct{}{}
	}
	r.seen[until][key] = struct{}{}
	r.n++
	return true
}

func (r *Replays) forget(minute int64) {
	r.n -= len(r.seen[minute])
	delete(r.seen, minute)
}
