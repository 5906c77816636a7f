package foreign

import (
	"crypto/sha256"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxRemembered bounds the JWTs that are remembered.
const maxRemembered = 100_000

// Replays remembers the IDs of JWTs until they expire. It is one of this replica alone, and forgets the oldest when too
// many come: best effort.
type Replays struct {
	mu   sync.Mutex
	seen *lru.Cache[[sha256.Size]byte, time.Time]
}

// NewReplays returns one that has seen nothing.
func NewReplays() *Replays {
	seen, _ := lru.New[[sha256.Size]byte, time.Time](maxRemembered) // fails for sizes below 1 only
	return &Replays{seen: seen}
}

// First tells whether this is the first use of an ID by a client, and remembers it until it expires.
func (r *Replays) First(client, id string, expiry, now time.Time) bool {
	digest := sha256.Sum256([]byte(client + "\x00" + id))
	r.mu.Lock()
	defer r.mu.Unlock()
	if until, ok := r.seen.Get(digest); ok && now.Before(until) {
		return false
	}
	r.seen.Add(digest, expiry.Add(Skew))
	return true
}
