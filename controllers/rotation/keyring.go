package rotation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// formatVersion is the version of the keyring's JSON. A keyring of another version is an error, and nothing is
// changed.
const formatVersion = 1

// Keyring contains all keys of a SigningKey with their times, and which requests were handled. It is the source of
// truth.
type Keyring struct {
	Version int `json:"version"`
	// Generation increases with every move, to detect projections of an older keyring.
	Generation int64 `json:"generation"`
	// Keys are in the order of preparation.
	Keys []Key `json:"keys"`
	// Sealing are the sealing keys of refresh tokens, in the order of preparation.
	Sealing []SealingKey `json:"sealing,omitempty"`
	// LastSealing is the largest number of all sealing keys so far.
	LastSealing int64 `json:"lastSealing,omitempty"`
	// Revoked only grows: a kid that is removed from the spec stays revoked.
	Revoked []Revocation `json:"revoked,omitempty"`
	// Tokens are the token revocations, including expired ones whose Revocation exists.
	Tokens []TokenRevocation `json:"tokens,omitempty"`
	// TokensChangedAt is when the list of token revocations last changed.
	TokensChangedAt time.Time `json:"tokensChangedAt,omitzero"`
	// CA are the CA certificates for the issuer's TLS certificate, sorted.
	CA []CACertificate `json:"ca,omitempty"`
	// CAUnknown is true while a rebuilt keyring has not observed the source of CA: the distributed certificates are
	// kept.
	CAUnknown bool `json:"caUnknown,omitempty"`
	// ClockSkew is the clock skew of the policy, recorded for the revocation list when there is no SigningKey.
	ClockSkew time.Duration `json:"clockSkewNanoseconds,omitempty"`
	// HandledRequest is the time of the newest completed rotation request.
	HandledRequest time.Time `json:"handledRequest,omitzero"`
	// EverActive reports whether any key of this name was ever Active, so that a token can exist.
	EverActive bool `json:"everActive,omitempty"`
	// Stopped is why no key is Active, unless the key was revoked. The next key then waits until verifiers know it.
	Stopped Reason `json:"stopped,omitempty"`
	// Spec is that of the last prepared key. It determines the type of the tombstone.
	Spec KeySpec `json:"spec,omitzero"`
	// EndingAt is when the last key left the published set because the SigningKey is being deleted. EndedAt is since
	// when every projection has been without a key.
	EndingAt time.Time `json:"endingAt,omitzero"`
	EndedAt  time.Time `json:"endedAt,omitzero"`
}

// KeySpec returns the spec of the last prepared key, or the zero KeySpec.
func (r *Keyring) KeySpec() KeySpec {
	if r.Spec == (KeySpec{}) && len(r.Keys) > 0 {
		return r.Keys[len(r.Keys)-1].KeySpec
	}
	return r.Spec
}

// LongestLifetime returns the maximum token lifetime of all published keys.
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

// Decode decodes a keyring strictly. After an error the caller must change nothing.
func Decode(b []byte) (Keyring, error) {
	var r Keyring
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Keyring{}, fmt.Errorf("the keyring was edited, or written by a newer version: %w", withoutInput(err))
	}
	if r.Version != formatVersion {
		return Keyring{}, fmt.Errorf("keyring has version %d, this controller reads version %d", r.Version, formatVersion)
	}
	return r, r.check()
}

// withoutInput removes quotations of the keyring from a JSON error.
func withoutInput(err error) error {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return fmt.Errorf("member %s has the wrong type at byte %d", typ.Field, typ.Offset)
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("invalid JSON at byte %d", syntax.Offset)
	}
	return errors.New("it has an unknown member, or is cut off")
}

// check rejects a keyring that Plan cannot have returned.
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
			return fmt.Errorf("keyring key %s is Retired but still has a private key, as in an edited or restored keyring", k.ID)
		case k.State == Active && len(k.Private) == 0:
			return fmt.Errorf("keyring key %s is Active but has no private key", k.ID)
		case r.isRevoked(k.ID):
			return fmt.Errorf("keyring key %s is revoked but still in the keyring", k.ID)
		}
		seen[k.ID] = true
		if k.Published() {
			states[k.State]++
		}
	}
	if states[Active] > 1 || states[Standby] > 1 {
		return fmt.Errorf("keyring has %d Active and %d Standby keys: at most one of each is allowed", states[Active], states[Standby])
	}
	return nil
}

// Clone returns a deep copy.
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

// PublishedIDs returns the kids of the published keys.
func (r *Keyring) PublishedIDs() []string {
	ids := make([]string, 0, len(r.Keys))
	for i := range r.Keys {
		if r.Keys[i].Published() {
			ids = append(ids, r.Keys[i].ID)
		}
	}
	return ids
}

// Equal reports whether two keyrings are equal.
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
