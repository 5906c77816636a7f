package rotation

import (
	"slices"
	"time"
)

// Rebuild returns a keyring from the signing-key Secret after the keyring was lost. The Active key stays Active; the
// others verify for the maximum lifetime that the API allows. The generation starts above the Secret's, so that
// projections of the lost keyring are replaced.
//
// revoked are the key IDs in the Secret's revocation list, and tokens its token revocations: both are kept.
//
// The Secret does not contain the CA of the issuer: CAUnknown keeps the distributed certificates until the source is
// observed.
//
// active is nil if the Secret has no active.jwk. others are the other public keys of its jwks.json.
func Rebuild(now time.Time, generation int64, active *Key, others []Key, revoked []string, tokens []TokenRevocation) Keyring {
	r := Keyring{Version: formatVersion, Generation: generation + 1, EverActive: true, CAUnknown: true}
	for _, t := range tokens {
		t.At = now
		r.Tokens = append(r.Tokens, t)
	}
	revokedBefore := func(id string) bool { return slices.Contains(revoked, id) }
	for _, id := range revoked {
		r.Revoked = append(r.Revoked, Revocation{ID: id, At: now})
	}
	if active != nil && !revokedBefore(active.ID) {
		a := *active
		a.State, a.PreparedAt, a.ActivatedAt, a.MaxLifetime = Active, now, now, LongestLifetime
		r.Keys = append(r.Keys, a)
	}
	if active == nil && len(revoked) == 0 { // after a revocation the next key signs at once
		r.Stopped = Draining
	}
	for _, k := range others {
		if revokedBefore(k.ID) {
			continue
		}
		k.State, k.Private = Retired, nil
		k.PreparedAt, k.RetiredAt, k.SupersededAt = now, now, now
		k.MaxLifetime = LongestLifetime
		r.Keys = append(r.Keys, k)
	}
	return r
}
