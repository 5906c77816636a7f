package rotation

import (
	"slices"
	"strings"
	"time"
)

// PublishedKeys returns the published keys, sorted by kid.
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

// IssuingPolicy is the policy for issuers.
type IssuingPolicy struct {
	Algorithm    string
	MaxLifetime  time.Duration
	ClockSkew    time.Duration
	NextRotation time.Time
	// MaxRefreshLifetime and MaxSessionLifetime are zero if refresh tokens are disabled.
	MaxRefreshLifetime, MaxSessionLifetime time.Duration
}

// IssuingPolicy returns the policy for issuers, even if no key is Active. Its lifetime is at most the one recorded
// for the Active key, because retirement depends on that record.
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
