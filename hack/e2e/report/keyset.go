package report

import (
	"encoding/json"
	"maps"
	"sync"
	"time"
)

// Seen is when something happened to a key set, in milliseconds since 1970: `+kid` when a key came, `-kid` when it left.
type Seen map[string]int64

// KeySet notes which keys come and leave, by looking at the set again and again.
type KeySet struct {
	mu      sync.Mutex
	present map[string]bool
	seen    Seen
}

// Look notes what has changed in a JWKS (RFC 7517 section 5) since the last look. What is no key set changes nothing.
func (k *KeySet) Look(set []byte, now time.Time) {
	var read struct {
		Keys []struct {
			KeyID string `json:"kid"`
		} `json:"keys"`
	}
	if json.Unmarshal(set, &read) != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen == nil {
		k.seen = Seen{}
	}
	present := map[string]bool{}
	for _, key := range read.Keys {
		present[key.KeyID] = true
		if !k.present[key.KeyID] {
			k.seen["+"+key.KeyID] = now.UnixMilli()
		}
	}
	for kid := range k.present {
		if !present[kid] {
			k.seen["-"+kid] = now.UnixMilli()
		}
	}
	k.present = present
}

// Seen is what was noted so far.
func (k *KeySet) Seen() Seen {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.seen)
}
