package rotation

import (
	"slices"
	"strings"
	"time"
)

// PublishedKeys returns the keys that belong in every JWKS, sorted by kid.
func (r *Keyring) PublishedKeys() []*Key {
	keys := make([]*Key, 0, len(r.Keys))
	for i := range r.Keys {
		if r.Keys[i].Published() {
			keys = append(keys, &r.Keys[i])
		}
	}
	slices.SortFunc(keys, func(a, b *Key) int { return strings.Compare(a.ID, b.ID) })
	return keys
}

// IssuingPolicy is what an issuer must keep to.
type IssuingPolicy struct {
	Algorithm    string
	MaxLifetime  time.Duration
	ClockSkew    time.Duration
	NextRotation time.Time
	// MaxRefreshLifetime and MaxSessionLifetime are zero while no refresh token may be given.
	MaxRefreshLifetime, MaxSessionLifetime time.Duration
}

// IssuingPolicy returns what issuers keep to, also while no key is Active. Its lifetime never passes the longest one that the
// keyring has recorded for the Active key: retirement counts from that record.
func (r *Keyring) IssuingPolicy(p Policy) IssuingPolicy {
	out := IssuingPolicy{Algorithm: p.Algorithm, MaxLifetime: p.MaxLifetime, ClockSkew: p.ClockSkew}
	if s := r.SealingInUse(); s != nil {
		out.MaxRefreshLifetime, out.MaxSessionLifetime = min(p.MaxRefreshLifetime, s.MaxRefreshLifetime), p.MaxSessionLifetime
	}
	a := r.Active()
	if a == nil {
		return out
	}
	out.Algorithm, out.MaxLifetime = a.Algorithm, min(p.MaxLifetime, a.MaxLifetime)
	if !p.Manual {
		out.NextRotation = a.ActivatedAt.Add(p.Interval)
	}
	return out
}
