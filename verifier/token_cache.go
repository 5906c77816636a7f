package verifier

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
	"time"
)

// The limits of a token cache: the number of slots, the slots per bucket, and the total bytes.
const (
	cacheSlots = 2048
	cacheWays  = 4
	cacheBytes = 1536 << 10
)

// tokenCache caches the tokens that were verified with one snapshot, by the SHA-256 of their text, so that a repeated
// token needs no signature verification. Only valid tokens are added.
//
// A lookup writes nothing, so that cores do not contend. A full bucket evicts the token that expires first.
type tokenCache struct {
	slots       [cacheSlots]atomic.Pointer[cacheEntry]
	bytes       atomic.Int64 // the total size of the entries
	maxBytes    int64
	nextEvicted atomic.Uint64 // the slot to evict next when maxBytes is exceeded
}

// cacheEntry is immutable.
type cacheEntry struct {
	digest [sha256.Size]byte
	token  *Token
}

func newTokenCache(limit int) *tokenCache { return &tokenCache{maxBytes: int64(limit)} }

// bucket returns the slots for a digest.
func (c *tokenCache) bucket(digest *[sha256.Size]byte) []atomic.Pointer[cacheEntry] {
	first := binary.NativeEndian.Uint64(digest[:]) % (cacheSlots / cacheWays) * cacheWays
	return c.slots[first : first+cacheWays]
}

// get returns the cached token with this digest, or nil. The caller must check whether it is still valid.
func (c *tokenCache) get(digest *[sha256.Size]byte) *Token {
	place := c.bucket(digest)
	for i := range place {
		if entry := place[i].Load(); entry != nil && entry.digest == *digest {
			return entry.token
		}
	}
	return nil
}

// add caches a verified token, unless it is too large.
func (c *tokenCache) add(digest *[sha256.Size]byte, token *Token) {
	entry := &cacheEntry{digest: *digest, token: token}
	if entry.size() > c.maxBytes/64 {
		return
	}
	c.replace(c.evictable(digest), entry)
	for c.bytes.Load() > c.maxBytes {
		c.replace(&c.slots[c.nextEvicted.Add(1)%cacheSlots], nil)
	}
}

// evictable returns a free slot of the bucket, or else the slot of the token that expires first.
func (c *tokenCache) evictable(digest *[sha256.Size]byte) *atomic.Pointer[cacheEntry] {
	place := c.bucket(digest)
	slot, earliest := &place[0], time.Time{}
	for i := range place {
		entry := place[i].Load()
		if entry == nil {
			return &place[i]
		}
		if earliest.IsZero() || entry.token.expiry.Before(earliest) {
			slot, earliest = &place[i], entry.token.expiry
		}
	}
	return slot
}

// replace sets the entry of a slot and updates the total size.
func (c *tokenCache) replace(slot *atomic.Pointer[cacheEntry], entry *cacheEntry) {
	c.bytes.Add(entry.size() - slot.Swap(entry).size())
}

// entryBytes is the maximum size of an entry, its Token and its small lists, without the payload.
const entryBytes = 512

// size returns the approximate size of an entry in bytes.
func (e *cacheEntry) size() int64 {
	if e == nil {
		return 0
	}
	lists := len(e.token.audience) + len(e.token.scopes)
	return entryBytes + int64(len(e.token.payload)*9/8+32*lists)
}
