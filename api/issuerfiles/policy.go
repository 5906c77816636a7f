package issuerfiles

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The largest maxLifetime, maxRefreshLifetime and maxSessionLifetime that the API accepts.
const (
	LongestLifetime        = 24 * time.Hour
	LongestRefreshLifetime = 720 * time.Hour
	LongestSessionLifetime = 8760 * time.Hour
)

// Policy is the issuing policy, the entry policy.json of the signing-key Secret. It is complete in every state of a
// SigningKey, even if no key signs.
type Policy struct {
	// SigningKey is the name of the SigningKey.
	SigningKey string
	// Algorithm is the JWS algorithm of tokens (RFC 7518 section 3.1, RFC 8037 for EdDSA).
	Algorithm string
	// MaxLifetime is the maximum lifetime of a token, exp - iat, in whole seconds up to LongestLifetime.
	MaxLifetime time.Duration
	// ClockSkew is the maximum difference between the clocks of issuers and verifiers, in whole seconds.
	ClockSkew time.Duration
	// NextRotation is the time of the next scheduled rotation, zero if none is scheduled.
	NextRotation time.Time
	// MaxRefreshLifetime is the maximum lifetime of a refresh token, and MaxSessionLifetime the maximum time between
	// two logins, both in whole seconds. They are zero if refresh tokens are disabled.
	MaxRefreshLifetime, MaxSessionLifetime time.Duration
}

// policyJSON is the format of policy.json.
type policyJSON struct {
	SigningKey   string     `json:"signingKey"`
	Algorithm    string     `json:"algorithm,omitempty"`
	MaxLifetime  int64      `json:"maxLifetimeSeconds"`
	ClockSkew    int64      `json:"clockSkewSeconds"`
	NextRotation *time.Time `json:"nextRotationTime,omitempty"`

	MaxRefreshLifetime int64 `json:"maxRefreshLifetimeSeconds,omitempty"`
	MaxSessionLifetime int64 `json:"maxSessionLifetimeSeconds,omitempty"`
}

// Encode returns policy.json. Equal policies have equal bytes.
func (p Policy) Encode() ([]byte, error) {
	out := policyJSON{
		SigningKey: p.SigningKey, Algorithm: p.Algorithm,
		MaxLifetime: int64(p.MaxLifetime / time.Second), ClockSkew: int64(p.ClockSkew / time.Second),
		MaxRefreshLifetime: int64(p.MaxRefreshLifetime / time.Second), MaxSessionLifetime: int64(p.MaxSessionLifetime / time.Second),
	}
	if !p.NextRotation.IsZero() {
		at := p.NextRotation.UTC().Truncate(time.Second)
		out.NextRotation = &at
	}
	return json.Marshal(out)
}

// DecodePolicy decodes policy.json and ignores unknown members. No error quotes the file.
func DecodePolicy(b []byte) (Policy, error) {
	var in policyJSON
	if err := json.Unmarshal(b, &in); err != nil {
		var typ *json.UnmarshalTypeError
		if errors.As(err, &typ) && typ.Field != "" {
			return Policy{}, fmt.Errorf("%s has a value of the wrong type", typ.Field)
		}
		return Policy{}, errors.New("is not a valid JSON object")
	}
	switch {
	case in.Algorithm == "":
		return Policy{}, errors.New("algorithm is missing")
	case in.MaxLifetime < 1 || in.MaxLifetime > int64(LongestLifetime/time.Second):
		return Policy{}, errors.New("maxLifetimeSeconds must be between 1 and 86400")
	case in.ClockSkew < 0 || in.ClockSkew > 3600:
		return Policy{}, errors.New("clockSkewSeconds must be between 0 and 3600")
	case in.MaxRefreshLifetime < 0 || in.MaxRefreshLifetime > int64(LongestRefreshLifetime/time.Second):
		return Policy{}, errors.New("maxRefreshLifetimeSeconds must be between 0 and 2592000")
	case in.MaxSessionLifetime < 0 || in.MaxSessionLifetime > int64(LongestSessionLifetime/time.Second):
		return Policy{}, errors.New("maxSessionLifetimeSeconds must be between 0 and 31536000")
	}
	p := Policy{
		SigningKey: in.SigningKey, Algorithm: in.Algorithm,
		MaxLifetime: time.Duration(in.MaxLifetime) * time.Second, ClockSkew: time.Duration(in.ClockSkew) * time.Second,
		MaxRefreshLifetime: time.Duration(in.MaxRefreshLifetime) * time.Second,
		MaxSessionLifetime: time.Duration(in.MaxSessionLifetime) * time.Second,
	}
	if in.NextRotation != nil {
		p.NextRotation = *in.NextRotation
	}
	return p, nil
}
