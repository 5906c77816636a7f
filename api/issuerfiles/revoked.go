package issuerfiles

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// revokedVersion is the version of the format of a revocation list.
const revokedVersion = 1

// The claims by whose values tokens can end early: of one token, of a session, of a user, of a client (RFC 7519 section 4.1, RFC
// 9068 section 2.2; sid as in OpenID Connect Front-Channel Logout 1.0).
const (
	ClaimTokenID   = "jti"
	ClaimSessionID = "sid"
	ClaimSubject   = "sub"
	ClaimClientID  = "client_id"
)

// digestLength is how many characters of a hash stand for a value: 132 bits.
const digestLength = 22

// Revoked is a revocation list: the entry revoked of the signing-key Secret, and the file <name>.revoked of the ConfigMap
// keywright-jwks. It is written also when it is empty.
//
// The time of a token is its auth_time, or its iat if it has none. The list ends a token whose time is at most ClockSkew after
// AllBefore, or after the time listed for one of its values.
type Revoked struct {
	// KeyIDs are the kids of the keys that must not be trusted.
	KeyIDs []string
	// Ended has, for each value that Digest made, the time up to which tokens with it are ended, in whole seconds. For token
	// IDs and sessions it is one that no such token reaches.
	Ended map[string]time.Time
	// AllBefore is the time up to which all tokens are ended, in whole seconds, zero if there is none.
	AllBefore time.Time
	// ClockSkew is by how much the clocks of issuers and verifiers may differ, in whole seconds. A token counts as issued before
	// a time if it was issued up to this much after it.
	ClockSkew time.Duration
}

// Digest is how a revocation list names the value of a claim, one of the constants above: the first 22 characters of
// base64url(SHA-256(claim ":" value)).
func Digest(claim, value string) string {
	sum := sha256.Sum256([]byte(claim + ":" + value))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:digestLength]
}

// Ends reports whether the list ends a token of this time whose claims have these values. Claims without a value end nothing.
func (r Revoked) Ends(at time.Time, claims map[string]string) bool {
	until := r.EndsUntil(claims)
	return !until.IsZero() && !at.After(until)
}

// EndsUntil returns the last time of a token with these values that the list ends, zero if it ends none.
func (r Revoked) EndsUntil(claims map[string]string) time.Time {
	until := r.AllBefore
	for claim, value := range claims {
		if value == "" || len(r.Ended) == 0 {
			continue
		}
		if before := r.Ended[Digest(claim, value)]; before.After(until) {
			until = before
		}
	}
	if until.IsZero() {
		return until
	}
	return until.Add(r.ClockSkew)
}

// revokedJSON is a revocation list in JSON. It has no member keys, so that nobody takes it for a JWKS.
type revokedJSON struct {
	Version   int              `json:"version"`
	KeyIDs    []string         `json:"keyIDs"`
	ClockSkew int64            `json:"clockSkewSeconds"`
	AllBefore int64            `json:"allBefore,omitempty"`
	Ended     map[string]int64 `json:"ended"`
}

// Encode returns the list as JSON, sorted and without repetitions, so that equal lists are equal bytes.
func (r Revoked) Encode() []byte {
	out := revokedJSON{
		Version: revokedVersion, KeyIDs: slices.Compact(slices.Sorted(slices.Values(r.KeyIDs))),
		ClockSkew: int64(r.ClockSkew / time.Second), Ended: make(map[string]int64, len(r.Ended)),
	}
	if out.KeyIDs == nil {
		out.KeyIDs = []string{}
	}
	if !r.AllBefore.IsZero() {
		out.AllBefore = r.AllBefore.Unix()
	}
	for digest, before := range r.Ended {
		out.Ended[digest] = before.Unix()
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic(err) // strings and numbers are always JSON
	}
	return b
}

// With returns the list with a value, or with everything if the digest is empty, up to a time, or up to a later one that it has.
// It may share the map of r.
func (r Revoked) With(digest string, before time.Time) Revoked {
	switch {
	case digest == "" && before.After(r.AllBefore):
		r.AllBefore = before
	case digest != "" && before.After(r.Ended[digest]):
		if r.Ended == nil {
			r.Ended = map[string]time.Time{}
		}
		r.Ended[digest] = before
	}
	return r
}

// Union returns what either list revokes, with the larger skew.
func (r Revoked) Union(o Revoked) Revoked {
	out := Revoked{KeyIDs: slices.Clone(r.KeyIDs), Ended: maps.Clone(r.Ended), AllBefore: r.AllBefore, ClockSkew: max(r.ClockSkew, o.ClockSkew)}
	for _, id := range o.KeyIDs {
		if !slices.Contains(out.KeyIDs, id) {
			out.KeyIDs = append(out.KeyIDs, id)
		}
	}
	out = out.With("", o.AllBefore)
	for digest, before := range o.Ended {
		out = out.With(digest, before)
	}
	return out
}

// Equal reports whether two lists say the same.
func (r Revoked) Equal(o Revoked) bool {
	return slices.Equal(r.KeyIDs, o.KeyIDs) && r.ClockSkew == o.ClockSkew && r.AllBefore.Equal(o.AllBefore) &&
		maps.EqualFunc(r.Ended, o.Ended, time.Time.Equal)
}

// maxRevokedSkew is the largest clockSkew that the API accepts, in seconds.
const maxRevokedSkew = 3600

// DecodeRevoked reads a revocation list. Members that this version does not know are ignored; another version is an error.
// No error quotes the file.
func DecodeRevoked(b []byte) (Revoked, error) {
	var in revokedJSON
	switch err := json.Unmarshal(b, &in); {
	case err != nil:
		return Revoked{}, errors.New("is not a revocation list")
	case in.Version != revokedVersion:
		return Revoked{}, fmt.Errorf("has version %d, and this program reads version %d", in.Version, revokedVersion)
	case in.ClockSkew < 0 || in.ClockSkew > maxRevokedSkew:
		return Revoked{}, errors.New("clockSkewSeconds must be between 0 and 3600")
	case in.AllBefore < 0:
		return Revoked{}, errors.New("allBefore must not be negative")
	}
	r := Revoked{KeyIDs: in.KeyIDs, ClockSkew: time.Duration(in.ClockSkew) * time.Second}
	if in.AllBefore > 0 {
		r.AllBefore = time.Unix(in.AllBefore, 0).UTC()
	}
	for digest, before := range in.Ended {
		if len(digest) != digestLength || before <= 0 {
			return Revoked{}, errors.New("has an entry that is not 22 characters of a hash and a time")
		}
		if r.Ended == nil {
			r.Ended = make(map[string]time.Time, len(in.Ended))
		}
		r.Ended[digest] = time.Unix(before, 0).UTC()
	}
	return r, nil
}
