package rotation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// formatVersion is the version of the keyring's JSON. A keyring of another version is not read: nothing is changed.
const formatVersion = 1

// Keyring is the truth about one SigningKey: every key with its times, and what was requested and handled.
type Keyring struct {
	Version int `json:"version"`
	// Generation is raised by every move, so that projections made from an older keyring can be told.
	Generation int64 `json:"generation"`
	// Keys are in the order of their preparation.
	Keys []Key `json:"keys"`
	// Sealing are the keys that refresh tokens are sealed with, in the order of their preparation.
	Sealing []SealingKey `json:"sealing,omitempty"`
	// LastSealing is the largest number that a sealing key ever had.
	LastSealing int64 `json:"lastSealing,omitempty"`
	// Revoked is never shortened: a kid that is taken out of the spec stays revoked.
	Revoked []Revocation `json:"revoked,omitempty"`
	// Tokens are what ended tokens are named by, and what was, while its Revocation exists.
	Tokens []TokenRevocation `json:"tokens,omitempty"`
	// TokensChangedAt is when the list of them changed last.
	TokensChangedAt time.Time `json:"tokensChangedAt,omitzero"`
	// CA are the certificates that clients trust the issuer's TLS certificate by, sorted.
	CA []CACertificate `json:"ca,omitempty"`
	// CAUnknown is set while a keyring that was rebuilt has not seen the source of CA: the certificates that were distributed stay.
	CAUnknown bool `json:"caUnknown,omitempty"`
	// ClockSkew is that of the policy, which the list says, also while there is no SigningKey.
	ClockSkew time.Duration `json:"clockSkewNanoseconds,omitempty"`
	// HandledRequest is the time of the newest rotation request that was carried out.
	HandledRequest time.Time `json:"handledRequest,omitzero"`
	// EverActive reports whether any key of this name was ever Active, and so whether a token can exist.
	EverActive bool `json:"everActive,omitempty"`
	// Stopped is why no key is Active, if it is not that one was revoked: the next one then waits until verifiers know it.
	Stopped Reason `json:"stopped,omitempty"`
	// Spec is that of the key which was prepared last. A tombstone is of its type.
	Spec KeySpec `json:"spec,omitzero"`
	// EndingAt is since when no key is published any more, because the SigningKey is being deleted. EndedAt is since when every
	// projection was seen without a key, without a break.
	EndingAt time.Time `json:"endingAt,omitzero"`
	EndedAt  time.Time `json:"endedAt,omitzero"`
}

// KeySpec returns that of the key which was prepared last, the zero KeySpec if there never was one.
func (r *Keyring) KeySpec() KeySpec {
	if r.Spec == (KeySpec{}) && len(r.Keys) > 0 {
		return r.Keys[len(r.Keys)-1].KeySpec
	}
	return r.Spec
}

// LongestLifetime returns the longest lifetime of a token that any published key ever signed under.
func (r *Keyring) LongestLifetime() time.Duration {
	var longest time.Duration
	for i := range r.Keys {
		if r.Keys[i].Published() {
			longest = max(longest, r.Keys[i].MaxLifetime)
		}
	}
	return longest
}

// Encode returns the keyring as the JSON of the keyring Secret.
func (r Keyring) Encode() ([]byte, error) {
	r.Version = formatVersion
	return json.Marshal(r)
}

// Decode reads a keyring strictly: what cannot be understood whole is an error, and the caller must then change nothing.
func Decode(b []byte) (Keyring, error) {
	var r Keyring
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Keyring{}, fmt.Errorf("keyring is not what this version writes: %w", withoutInput(err))
	}
	if r.Version != formatVersion {
		return Keyring{}, fmt.Errorf("keyring has version %d, this controller reads version %d", r.Version, formatVersion)
	}
	return r, r.check()
}

// withoutInput drops the parts of a JSON error that could quote the keyring.
func withoutInput(err error) error {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return fmt.Errorf("member %s has the wrong type at byte %d", typ.Field, typ.Offset)
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("no JSON at byte %d", syntax.Offset)
	}
	return errors.New("an unknown member, or the end is missing")
}

// check refuses a keyring that no Plan can have made.
func (r Keyring) check() error {
	seen := map[string]bool{}
	states := map[State]int{}
	if err := errors.Join(checkSealing(r.Sealing), checkCA(r.CA)); err != nil {
		return err
	}
	for i := range r.Keys {
		k := &r.Keys[i]
		switch {
		case k.ID == "" || seen[k.ID]:
			return fmt.Errorf("keyring has an empty or repeated kid %q", k.ID)
		case k.State != Standby && k.State != Active && k.State != Retired:
			return fmt.Errorf("keyring key %s has the unknown state %q", k.ID, k.State)
		case k.State == Retired && len(k.Private) > 0:
			return fmt.Errorf("keyring key %s is Retired and has a private half", k.ID)
		case k.State == Active && len(k.Private) == 0:
			return fmt.Errorf("keyring key %s is Active and has no private half", k.ID)
		case r.isRevoked(k.ID):
			return fmt.Errorf("keyring key %s is revoked and still there", k.ID)
		}
		seen[k.ID] = true
		if k.Published() {
			states[k.State]++
		}
	}
	if states[Active] > 1 || states[Standby] > 1 {
		return fmt.Errorf("keyring has %d Active and %d Standby keys", states[Active], states[Standby])
	}
	return nil
}

// Clone returns a keyring that shares no slice with r.
func (r Keyring) Clone() Keyring {
	r.Keys = slices.Clone(r.Keys)
	r.Revoked = slices.Clone(r.Revoked)
	r.Tokens = slices.Clone(r.Tokens)
	r.Sealing = slices.Clone(r.Sealing)
	r.CA = slices.Clone(r.CA)
	return r
}

// Active returns the Active key, or nil.
func (r *Keyring) Active() *Key { return r.in(Active) }

// Standby returns the Standby key, or nil.
func (r *Keyring) Standby() *Key { return r.in(Standby) }

func (r *Keyring) in(s State) *Key {
	for i := range r.Keys {
		if r.Keys[i].State == s && r.Keys[i].Published() {
			return &r.Keys[i]
		}
	}
	return nil
}

// PublishedIDs returns the kids of the keys that belong in every JWKS.
func (r *Keyring) PublishedIDs() []string {
	ids := make([]string, 0, len(r.Keys))
	for i := range r.Keys {
		if r.Keys[i].Published() {
			ids = append(ids, r.Keys[i].ID)
		}
	}
	return ids
}

// Equal reports whether two keyrings say the same.
func (r Keyring) Equal(o Keyring) bool {
	return r.Version == o.Version && r.Generation == o.Generation && r.Spec == o.Spec && r.Stopped == o.Stopped &&
		r.EndingAt.Equal(o.EndingAt) && r.EndedAt.Equal(o.EndedAt) && r.EverActive == o.EverActive && r.HandledRequest.Equal(o.HandledRequest) &&
		r.TokensChangedAt.Equal(o.TokensChangedAt) && r.ClockSkew == o.ClockSkew && slices.EqualFunc(r.Tokens, o.Tokens, equalTokens) &&
		slices.EqualFunc(r.Sealing, o.Sealing, equalSealing) && r.LastSealing == o.LastSealing &&
		slices.EqualFunc(r.CA, o.CA, equalCA) && r.CAUnknown == o.CAUnknown &&
		slices.EqualFunc(r.Revoked, o.Revoked, equalRevocations) && slices.EqualFunc(r.Keys, o.Keys, equalKeys)
}

func equalKeys(a, b Key) bool {
	return a.ID == b.ID && a.KeySpec == b.KeySpec && a.State == b.State && bytes.Equal(a.Public, b.Public) &&
		bytes.Equal(a.Private, b.Private) && a.RetiredIn == b.RetiredIn && a.MaxLifetime == b.MaxLifetime &&
		a.PreparedAt.Equal(b.PreparedAt) && a.PublishedAt.Equal(b.PublishedAt) && a.ActivatedAt.Equal(b.ActivatedAt) &&
		a.SigningFrom.Equal(b.SigningFrom) && a.RetiredAt.Equal(b.RetiredAt) && a.SupersededAt.Equal(b.SupersededAt) &&
		a.SupersededIn == b.SupersededIn && a.Proof == b.Proof && a.ProofAt.Equal(b.ProofAt) &&
		a.RemovedAt.Equal(b.RemovedAt)
}
