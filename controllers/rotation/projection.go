package rotation

import (
	"bytes"
	"slices"
	"strings"
	"time"
)

// JWKS returns the published public keys as a JWKS (RFC 7517 section 5), sorted by kid, so that equal sets are equal
// bytes.
func (r *Keyring) JWKS() []byte {
	keys := make([]*Key, 0, len(r.Keys))
	for i := range r.Keys {
		if r.Keys[i].Published() {
			keys = append(keys, &r.Keys[i])
		}
	}
	slices.SortFunc(keys, func(a, b *Key) int { return strings.Compare(a.ID, b.ID) })
	var b bytes.Buffer
	b.WriteString(`{"keys":[`)
	for i, k := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(k.Public)
	}
	b.WriteString("]}")
	return b.Bytes()
}

// IssuingPolicy is what an issuer must keep to.
type IssuingPolicy struct {
	Algorithm    string
	MaxLifetime  time.Duration
	ClockSkew    time.Duration
	NextRotation time.Time
}

// IssuingPolicy returns the policy for the Active key, and false when there is none. Its lifetime never passes the
// longest one that the keyring has recorded for the key: retirement counts from that record.
func (r *Keyring) IssuingPolicy(p Policy) (IssuingPolicy, bool) {
	a := r.Active()
	if a == nil {
		return IssuingPolicy{}, false
	}
	out := IssuingPolicy{
		Algorithm: a.Algorithm, MaxLifetime: min(p.MaxLifetime, a.MaxLifetime), ClockSkew: p.ClockSkew,
	}
	if !p.Manual {
		out.NextRotation = a.ActivatedAt.Add(p.Interval)
	}
	return out, true
}
