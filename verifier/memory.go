package verifier

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
	"time"
)

// The bounds of what a Verifier remembers: tokens, how many may have their digest in the same place, and the bytes that
// all of them take.
const (
	memorySlots = 2048
	memoryWays  = 4
	memoryBytes = 1536 << 10
)

// memory remembers tokens that one generation of keys has accepted, by the SHA-256 of their text, so that a second look
// costs no signature. Only the owner of a valid token gets something into it.
//
// Looking something up writes nothing, so that cores do not wait for one another; a full place forgets the token that
// expires first.
type memory struct {
	slots [memorySlots]atomic.Pointer[remembered]
	bytes atomic.Int64 // that the tokens take
	limit int64
	hand  atomic.Uint64 // the place that gives way next when there are too many bytes
}

// remembered never changes.
type remembered struct {
	digest [sha256.Size]byte
	token  *Token
}

func newMemory(limit int) *memory { return &memory{limit: int64(limit)} }

// place returns the slots in which a token of this digest may be.
func (m *memory) place(digest *[sha256.Size]byte) []atomic.Pointer[remembered] {
	first := binary.NativeEndian.Uint64(digest[:]) % (memorySlots / memoryWays) * memoryWays
	return m.slots[first : first+memoryWays]
}

// find returns the token with this digest, nil if it is not remembered. Whether it is valid now is for the caller to
// check.
func (m *memory) find(digest *[sha256.Size]byte) *Token {
	place := m.place(digest)
	for i := range place {
		if entry := place[i].Load(); entry != nil && entry.digest == *digest {
			return entry.token
		}
	}
	return nil
}

// keep remembers a token that was accepted, unless it is so long that few like it would fill the memory.
func (m *memory) keep(digest *[sha256.Size]byte, token *Token) {
	entry := &remembered{digest: *digest, token: token}
	if entry.size() > m.limit/64 {
		return
	}
	m.put(m.leaving(digest), entry)
	for m.bytes.Load() > m.limit {
		m.put(&m.slots[m.hand.Add(1)%memorySlots], nil)
	}
}

// leaving returns the slot for a new token: one that is free, else the one of the token that expires first.
func (m *memory) leaving(digest *[sha256.Size]byte) *atomic.Pointer[remembered] {
	place := m.place(digest)
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

// put replaces what is in a slot.
func (m *memory) put(slot *atomic.Pointer[remembered], entry *remembered) {
	m.bytes.Add(entry.size() - slot.Swap(entry).size())
}

// entryBytes is what an entry, its Token and their small lists take at most beside the payload.
const entryBytes = 512

// size is about how many bytes an entry takes.
func (r *remembered) size() int64 {
	if r == nil {
		return 0
	}
	lists := len(r.token.audience) + len(r.token.scopes)
	return entryBytes + int64(len(r.token.payload)*9/8+32*lists)
}
