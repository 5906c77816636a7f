package verifier

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// maxRevokedBytes bounds a revocation list: the controller writes at most 80 KiB.
const maxRevokedBytes = 256 << 10

// revokedVersion is the version of the format that is read.
const revokedVersion = 1

// digestLength is how many characters of a hash stand for a value: 132 bits, of which the first 128 are compared.
const digestLength = 22

// revoked is a revocation list, the file <name>.revoked beside a key set: docs/revocation.md has its format. The zero value
// ends nothing. It never changes.
type revoked struct {
	// ended has the last time, in seconds since 1970, of a token that a value ends, the clock skew included.
	ended map[[16]byte]int64
	// allUntil is the last time of a token that is ended whatever its values, 0 if there is none.
	allUntil int64
	// skew is the clock skew of the issuer's SigningKey.
	skew time.Duration
}

// parseRevoked reads a revocation list. Members that are not known are ignored.
func parseRevoked(data []byte) (*revoked, error) {
	if len(data) > maxRevokedBytes {
		return nil, fmt.Errorf("revocation list: longer than %d bytes", maxRevokedBytes)
	}
	var in struct {
		Version   int              `json:"version"`
		ClockSkew int64            `json:"clockSkewSeconds"`
		AllBefore int64            `json:"allBefore"`
		Ended     map[string]int64 `json:"ended"`
	}
	switch err := json.Unmarshal(data, &in); {
	case err != nil:
		return nil, errors.New("revocation list: not the JSON object that it must be")
	case in.Version != revokedVersion:
		return nil, fmt.Errorf("revocation list: version %d, and this verifier reads version %d", in.Version, revokedVersion)
	case in.ClockSkew < 0 || in.ClockSkew > int64(maxClockSkew/time.Second) || in.AllBefore < 0 || in.AllBefore > latestDate:
		return nil, errors.New("revocation list: a time is out of bounds")
	}
	r := &revoked{skew: time.Duration(in.ClockSkew) * time.Second, ended: make(map[[16]byte]int64, len(in.Ended))}
	if in.AllBefore > 0 {
		r.allUntil = in.AllBefore + in.ClockSkew
	}
	for digest, before := range in.Ended {
		raw, err := base64.RawURLEncoding.DecodeString(digest)
		if err != nil || len(digest) != digestLength || before <= 0 || before > latestDate {
			return nil, errors.New("revocation list: an entry is not 22 characters of a hash and a time")
		}
		r.ended[[16]byte(raw)] = before + in.ClockSkew
	}
	return r, nil
}

// empty reports whether the list ends no token.
func (r *revoked) empty() bool { return len(r.ended) == 0 && r.allUntil == 0 }

// check returns an ErrRevoked if the list ends the token. Where it ends any, a token must say what it can be named by: its
// jti, and when it was issued.
func (r *revoked) check(t *Token) error {
	if r.empty() {
		return nil
	}
	at := t.authenticatedAt
	if at.IsZero() {
		at = t.issuedAt
	}
	if at.IsZero() || t.id == "" {
		return errUnnamed
	}
	if at.Unix() <= r.allUntil {
		return errEnded
	}
	if len(r.ended) == 0 {
		return nil
	}
	for _, named := range [...]struct{ claim, value string }{
		{"jti", t.id}, {"sub", t.subject}, {"client_id", t.clientID}, {"sid", t.sessionID},
	} {
		if named.value == "" {
			continue
		}
		if until, ok := r.ended[digestOf(named.claim, named.value)]; ok && at.Unix() <= until {
			return errEnded
		}
	}
	return nil
}

// digestOf is by what a list names the value of a claim: SHA-256(claim ":" value), cut.
func digestOf(claim, value string) [16]byte {
	var buffer [320]byte // spares nearly all values the heap
	text := append(append(append(buffer[:0], claim...), ':'), value...)
	sum := sha256.Sum256(text)
	return [16]byte(sum[:16])
}
