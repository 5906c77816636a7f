package rotation

import "time"

// Rebuild makes a keyring from what the signing-key Secret still holds, after the keyring was lost. The Active key goes
// on; the others verify for as long as any token can live that the API ever allowed. The generation starts above the
// Secret's, so that nothing made from the lost keyring can replace what comes from this one.
//
// active is nil when the Secret has no active.jwk. others are the remaining keys of its jwks.json, public halves only.
func Rebuild(now time.Time, generation int64, active *Key, others []Key) Keyring {
	r := Keyring{Version: formatVersion, Generation: generation + 1, EverActive: true}
	if active != nil {
		a := *active
		a.State, a.PreparedAt, a.ActivatedAt, a.MaxLifetime = Active, now, now, LongestLifetime
		r.Keys = append(r.Keys, a)
	}
	for _, k := range others {
		k.State, k.Private = Retired, nil
		k.PreparedAt, k.RetiredAt, k.SupersededAt = now, now, now
		k.MaxLifetime = LongestLifetime
		r.Keys = append(r.Keys, k)
	}
	return r
}
