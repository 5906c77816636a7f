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

// The claims by which a revocation list can name tokens: of one token, of a session, of a user, of a client (RFC 7519
// section 4.1, RFC 9068 section 2.2; sid as in OpenID Connect Front-Channel Logout 1.0).
const (
	ClaimTokenID   = "jti"
	ClaimSessionID = "sid"
	ClaimSubject   = "sub"
	ClaimClientID  = "client_id"
)

// digestLength is the length of an encoded hash in characters: 132 bits.
const digestLength = 22

// Revoked is a revocation list: the entry revoked of the signing-key Secret, and the file <name>.revoked of the
// ConfigMap keywright-jwks. It is written even if it is empty.
//
// The time of a token is its auth_time, or its iat if it has none. The list revokes a token whose time is at most
// ClockSkew after AllBefore, or after the time listed for one of its values.
type Revoked struct {
	// KeyIDs are the kids of revoked keys.
	KeyIDs []string
	// Ended maps the Digest of a claim to the time up to which its tokens are revoked, in whole seconds. For token
	// IDs and sessions, the time is later than that of any token.
	Ended map[string]time.Time
	// AllBefore is the time up to which all tokens are revoked, in whole seconds, or zero.
	AllBefore time.Time
	// ClockSkew is the maximum difference between the clocks of issuers and verifiers, in whole seconds. It is added
	// to all times above.
	ClockSkew time.Duration
}

// Digest returns the key in Ended for the value of a claim, one of the constants above: the first 22 characters of
// base64url(SHA-256(claim ":" value)).
func Digest(claim, value string) string {
	sum := sha256.Sum256([]byte(claim + ":" + value))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:digestLength]
}

// Ends reports whether the list revokes a token with this time and these claims. Empty claims are ignored.
func (r Revoked) Ends(at time.Time, claims map[string]string) bool {
	until := r.EndsUntil(claims)
	return !until.IsZero() && !at.After(until)
}

// EndsUntil returns the latest time of a token with these claims that the list revokes, or zero.
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

// revokedJSON is the JSON format of a revocation list. It has no member keys, so that it is not a valid JWKS.
type revokedJSON struct {
	Version   int              `json:"version"`
	KeyIDs    []string         `json:"keyIDs"`
	ClockSkew int64            `json:"clockSkewSeconds"`
	AllBefore int64            `json:"allBefore,omitempty"`
	Ended     map[string]int64 `json:"ended"`
}

// Encode returns the list as JSON, sorted and without duplicates, so that equal lists have equal bytes.
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
		panic(err) // strings and numbers are always valid
	}
	return b
}

// With returns the list with an additional entry, or with a later AllBefore if the digest is empty. A later time in
// the list is kept. The result may share the map of r.
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

// Union returns the union of two lists, with the larger skew.
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

// Equal reports whether two lists are equal.
func (r Revoked) Equal(o Revoked) bool {
	return slices.Equal(r.KeyIDs, o.KeyIDs) && r.ClockSkew == o.ClockSkew && r.AllBefore.Equal(o.AllBefore) &&
		maps.EqualFunc(r.Ended, o.Ended, time.Time.Equal)
}

// maxRevokedSkew is the maximum clockSkew of the API, in seconds.
const maxRevokedSkew = 3600

// DecodeRevoked decodes a revocation list and ignores unknown members. Another version is an error. No error quotes
// the file.
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
			return Revoked{}, errors.New("has an invalid entry: each needs a hash of 22 characters and a time")
		}
		if r.Ended == nil {
			r.Ended = make(map[string]time.Time, len(in.Ended))
		}
		r.Ended[digest] = time.Unix(before, 0).UTC()
	}
	return r, nil
}
