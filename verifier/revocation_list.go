package verifier

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keywright/keywright/verifier/internal/strictjson"
)

const (
	// maxRevocationListBytes limits a revocation list: the controller writes at most 80 KiB.
	maxRevocationListBytes = 256 << 10
	// revocationListVersion is the supported version of the format.
	revocationListVersion = 1
	// digestLength is the length of an encoded hash in characters: 132 bits, of which the first 128 are compared.
	digestLength = 22
	// lookupCacheSlots is the number of cached lookups per claim, and maxCachedValue the maximum length of a cached
	// value.
	lookupCacheSlots = 256
	maxCachedValue   = 64
)

// revocationList is the file <name>.revoked beside a key set; docs/revocation.md describes its format. Except for its
// cache it is immutable. The zero value is empty.
type revocationList struct {
	// revokedUntil maps a hashed claim to the latest issue time of revoked tokens, in seconds since 1970, including
	// the clock skew.
	revokedUntil map[[16]byte]int64
	// allRevokedUntil is the latest issue time of the tokens that are revoked whatever their claims, or 0.
	allRevokedUntil int64
	// keyIDs are the kids of revoked keys.
	keyIDs []string
	// skew is the clock skew of the issuer's SigningKey, 0 if the list does not have it.
	skew time.Duration
	// cache holds recent lookups of sub, client_id and sid, to avoid hashing.
	cache [3][lookupCacheSlots]atomic.Pointer[cachedLookup]
	seed  maphash.Seed
}

// cachedLookup is the immutable result of a lookup.
type cachedLookup struct {
	value string
	until int64 // 0 if the list has no entry
}

// parseRevocationList parses a revocation list as strictly as a key set. It ignores unknown members.
func parseRevocationList(data []byte) (*revocationList, error) {
	if len(data) > maxRevocationListBytes {
		return nil, fmt.Errorf("revocation list: longer than %d bytes", maxRevocationListBytes)
	}
	list, err := strictjson.Parse(string(data), nil)
	if err != nil {
		return nil, fmt.Errorf("revocation list: %w", err)
	}
	if version, _ := parseSeconds(list.Find("version"), latestDate); version != revocationListVersion {
		return nil, fmt.Errorf("revocation list: its version is missing or is not %d", revocationListVersion)
	}
	skew, skewOK := parseSeconds(list.Find("clockSkewSeconds"), int64(maxClockSkew/time.Second))
	before, beforeOK := parseSeconds(list.Find("allBefore"), latestDate)
	if !skewOK || !beforeOK {
		return nil, errors.New("revocation list: clockSkewSeconds or allBefore is out of bounds")
	}
	r := &revocationList{skew: time.Duration(skew) * time.Second, seed: maphash.MakeSeed()}
	if before > 0 {
		r.allRevokedUntil = before + skew
	}
	if list.Has("keyIDs") {
		ids, ok := parseStrings(list.Find("keyIDs"))
		if !ok {
			return nil, errors.New("revocation list: keyIDs is not a list of strings")
		}
		for _, id := range ids {
			r.keyIDs = append(r.keyIDs, strings.Clone(id)) // does not retain the whole text
		}
	}
	return r, r.parseEntries(list.Find("ended"), skew)
}

// parseEntries parses the member ended, "" if there is none.
func (r *revocationList) parseEntries(value string, skew int64) error {
	if value == "" {
		return nil
	}
	entries, err := strictjson.Parse(value, nil)
	if err != nil {
		return errors.New("revocation list: ended is not an object")
	}
	r.revokedUntil = make(map[[16]byte]int64, len(entries))
	for _, entry := range entries {
		raw, err := base64.RawURLEncoding.DecodeString(entry.Name)
		before, ok := parseSeconds(entry.Value, latestDate)
		if err != nil || len(entry.Name) != digestLength || len(raw) != len([16]byte{}) || !ok || before == 0 {
			return errors.New("revocation list: an entry is invalid: each needs a hash of 22 characters and a time")
		}
		name := [16]byte(raw)
		r.revokedUntil[name] = max(r.revokedUntil[name], before+skew)
	}
	return nil
}

// parseSeconds parses an integer between 0 and most. A missing value is 0.
func parseSeconds(value string, most int64) (int64, bool) {
	if value == "" {
		return 0, true
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	return seconds, err == nil && seconds >= 0 && seconds <= most
}

// empty reports whether the list revokes no token.
func (r *revocationList) empty() bool { return len(r.revokedUntil) == 0 && r.allRevokedUntil == 0 }

// check returns ErrRevoked if the list revokes the token. If the list is not empty, it also rejects a token without a
// jti or an issue time. The result does not change during the lifetime of the list.
func (r *revocationList) check(t *Token) error {
	if r.empty() {
		return nil
	}
	at := t.authenticatedAt
	if at.IsZero() {
		at = t.issuedAt
	}
	if at.IsZero() || t.id == "" || t.unreadableTime {
		return errUnnamed
	}
	seconds := at.Unix()
	if r.allRevokedUntil > 0 && seconds <= r.allRevokedUntil {
		return errAllEnded
	}
	if len(r.revokedUntil) == 0 {
		return nil
	}
	if until, ended := r.revokedUntil[hashClaim("jti", t.id)]; ended && seconds <= until {
		return revokedBy("jti")
	}
	for i, named := range [...]struct{ claim, value string }{{"sub", t.subject}, {"client_id", t.clientID}, {"sid", t.sessionID}} {
		if named.value == "" {
			continue
		}
		if until := r.lookup(&r.cache[i], named.claim, named.value); until > 0 && seconds <= until {
			return revokedBy(named.claim)
		}
	}
	return nil
}

// revokedBy returns the error for a token whose claim is in the list.
func revokedBy(claim string) error {
	return fmt.Errorf("%w: the revocation list contains its %s", ErrRevoked, claim)
}

// lookup returns the latest issue time of tokens that the value of a claim revokes, 0 if there is no entry. Recent
// results are cached. Only values of tokens with a valid signature get into the cache.
func (r *revocationList) lookup(recent *[lookupCacheSlots]atomic.Pointer[cachedLookup], claim, value string) int64 {
	slot := &recent[maphash.String(r.seed, value)%lookupCacheSlots]
	if known := slot.Load(); known != nil && known.value == value {
		return known.until
	}
	until := r.revokedUntil[hashClaim(claim, value)]
	if len(value) <= maxCachedValue {
		slot.Store(&cachedLookup{value: strings.Clone(value), until: until}) // does not retain the token
	}
	return until
}

// hashClaim returns the key of an entry: SHA-256(claim ":" value), truncated.
func hashClaim(claim, value string) [16]byte {
	var buffer [320]byte // avoids a heap allocation for nearly all values
	text := append(append(append(buffer[:0], claim...), ':'), value...)
	sum := sha256.Sum256(text)
	return [16]byte(sum[:16])
}
