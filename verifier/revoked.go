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
	// maxRevokedBytes bounds a revocation list: the controller writes at most 80 KiB.
	maxRevokedBytes = 256 << 10
	// revokedVersion is the version of the format that is read.
	revokedVersion = 1
	// digestLength is how many characters of a hash stand for a value: 132 bits, of which the first 128 are compared.
	digestLength = 22
	// recentVerdicts is how many values of a claim are remembered with what the list says of them, and recentBytes how long
	// they may be.
	recentVerdicts = 256
	recentBytes    = 64
)

// revoked is a revocation list, the file <name>.revoked beside a key set: docs/revocation.md has its format. The zero value
// ends nothing. What it says never changes.
type revoked struct {
	// ended has the last time, in seconds since 1970, of a token that a value ends, the clock skew included.
	ended map[[16]byte]int64
	// allUntil is the last time of a token that is ended whatever its values, 0 if there is none.
	allUntil int64
	// keyIDs are the kids of revoked keys.
	keyIDs []string
	// skew is the clock skew of the issuer's SigningKey, 0 if the list does not say.
	skew time.Duration
	// recent are verdicts on values that come again and again, of sub, client_id and sid: each spares a hash.
	recent [3][recentVerdicts]atomic.Pointer[verdict]
	seed   maphash.Seed
}

// verdict is what a list says of a value. It never changes.
type verdict struct {
	value string
	until int64 // 0 if the list does not name the value
}

// parseRevoked reads a revocation list as strictly as a key set. Members that are not known are ignored.
func parseRevoked(data []byte) (*revoked, error) {
	if len(data) > maxRevokedBytes {
		return nil, fmt.Errorf("revocation list: longer than %d bytes", maxRevokedBytes)
	}
	list, err := strictjson.Parse(string(data), nil)
	if err != nil {
		return nil, fmt.Errorf("revocation list: %w", err)
	}
	if version, _ := secondsOf(list.Find("version"), latestDate); version != revokedVersion {
		return nil, fmt.Errorf("revocation list: it has no version, or another than %d", revokedVersion)
	}
	skew, skewOK := secondsOf(list.Find("clockSkewSeconds"), int64(maxClockSkew/time.Second))
	before, beforeOK := secondsOf(list.Find("allBefore"), latestDate)
	if !skewOK || !beforeOK {
		return nil, errors.New("revocation list: clockSkewSeconds or allBefore is out of bounds")
	}
	r := &revoked{skew: time.Duration(skew) * time.Second, seed: maphash.MakeSeed()}
	if before > 0 {
		r.allUntil = before + skew
	}
	if list.Has("keyIDs") {
		ids, ok := textsOf(list.Find("keyIDs"))
		if !ok {
			return nil, errors.New("revocation list: keyIDs is not a list of strings")
		}
		for _, id := range ids {
			r.keyIDs = append(r.keyIDs, strings.Clone(id)) // and not a part of the whole text
		}
	}
	return r, r.readEnded(list.Find("ended"), skew)
}

// readEnded reads the member ended, "" if there is none.
func (r *revoked) readEnded(value string, skew int64) error {
	if value == "" {
		return nil
	}
	entries, err := strictjson.Parse(value, nil)
	if err != nil {
		return errors.New("revocation list: ended is not an object")
	}
	r.ended = make(map[[16]byte]int64, len(entries))
	for _, entry := range entries {
		raw, err := base64.RawURLEncoding.DecodeString(entry.Name)
		before, ok := secondsOf(entry.Value, latestDate)
		if err != nil || len(entry.Name) != digestLength || len(raw) != len([16]byte{}) || !ok || before == 0 {
			return errors.New("revocation list: an entry is not 22 characters of a hash and a time")
		}
		name := [16]byte(raw)
		r.ended[name] = max(r.ended[name], before+skew)
	}
	return nil
}

// secondsOf reads an integer between 0, which also stands for what is not there, and most.
func secondsOf(value string, most int64) (int64, bool) {
	if value == "" {
		return 0, true
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	return seconds, err == nil && seconds >= 0 && seconds <= most
}

// empty reports whether the list ends no token.
func (r *revoked) empty() bool { return len(r.ended) == 0 && r.allUntil == 0 }

// check returns an ErrRevoked if the list ends the token. Where it ends any, a token must say what it can be named by: its
// jti, and when it was issued. The answer does not change with time, so it holds for as long as the list does.
func (r *revoked) check(t *Token) error {
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
	if r.allUntil > 0 && seconds <= r.allUntil {
		return errAllEnded
	}
	if len(r.ended) == 0 {
		return nil
	}
	if until, ended := r.ended[nameOfValue("jti", t.id)]; ended && seconds <= until {
		return endedBy("jti")
	}
	for i, named := range [...]struct{ claim, value string }{{"sub", t.subject}, {"client_id", t.clientID}, {"sid", t.sessionID}} {
		if named.value == "" {
			continue
		}
		if until := r.until(&r.recent[i], named.claim, named.value); until > 0 && seconds <= until {
			return endedBy(named.claim)
		}
	}
	return nil
}

// endedBy is the refusal of a token whose claim is named.
func endedBy(claim string) error {
	return fmt.Errorf("%w: the revocation list names its %s", ErrRevoked, claim)
}

// until returns the last time of a token that the value of a claim ends, 0 if the list does not name it. What was asked a
// moment ago costs no hash. Like the memory of tokens it is written by none but the owners of signed tokens.
func (r *revoked) until(recent *[recentVerdicts]atomic.Pointer[verdict], claim, value string) int64 {
	slot := &recent[maphash.String(r.seed, value)%recentVerdicts]
	if known := slot.Load(); known != nil && known.value == value {
		return known.until
	}
	until := r.ended[nameOfValue(claim, value)]
	if len(value) <= recentBytes {
		slot.Store(&verdict{value: strings.Clone(value), until: until}) // and not a part of a token
	}
	return until
}

// nameOfValue is by what a list names the value of a claim: SHA-256(claim ":" value), cut.
func nameOfValue(claim, value string) [16]byte {
	var buffer [320]byte // spares nearly all values the heap
	text := append(append(append(buffer[:0], claim...), ':'), value...)
	sum := sha256.Sum256(text)
	return [16]byte(sum[:16])
}
