package jwtverify

import (
	"crypto/sha256"
	"maps"
	"slices"
	"sync"
	"time"
)

// maxRemembered bounds the JWTs that are remembered, in some 3 MB.
const maxRemembered = 100_000

// digest stands for the ID of a JWT, and for whose it is.
type digest [16]byte

// Replays remembers the IDs of JWTs until they have expired. It is one of this replica alone, and forgets what expires first
// when too many come: best effort.
type Replays struct {
	mu sync.Mutex
	// seen are the IDs by the minute, since 1970, until whose end they are remembered, so that all of a minute are forgotten at once.
	seen map[int64]map[digest]struct{}
	n    int
}

// NewReplays returns one that has seen nothing.
func NewReplays() *Replays { return &Replays{seen: map[int64]map[digest]struct{}{}} }

// First reports whether this is the first use of an ID by a client, and remembers it until it expires.
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
	if r.n >= maxRemembered {
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
