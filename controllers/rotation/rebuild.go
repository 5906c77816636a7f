package rotation

import (
	"slices"
	"time"
)

// Rebuild makes a keyring from what the signing-key Secret still holds, after the keyring was lost. The Active key goes
// on; the others verify for as long as any token can live that the API ever allowed. The generation starts above the
// Secret's, so that nothing made from the lost keyring can replace what comes from this one.
//
// A revocation is never forgotten: revoked are the key IDs that the Secret lists.
//
// So is no ended token: tokens are what the Secret's list names.
//
// The CA of the issuer is in no Secret: CAUnknown lets what is distributed stay until its source is seen.
//
// active is nil when the Secret has no active.jwk. others are the remaining keys of its jwks.json, public halves only.
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
	if active == nil && len(revoked) == 0 { // else a revocation may have left no key, and the next one signs at once
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
