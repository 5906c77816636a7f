package rotation

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The limits of sealing keys.
const (
	// SealingSecretBytes is the length of a sealing secret: AES-256 (RFC 7518 section 5.3).
	SealingSecretBytes = 32
	// MaxSealingKeys is the maximum number of sealing keys in a keyring. The next one waits for room.
	MaxSealingKeys = 32
	// sealingInterval is the maximum age of a sealing key in use. Its nonces are random, so it may seal at most 2^32
	// tokens (NIST SP 800-38D section 8.3).
	sealingInterval = 29 * 24 * time.Hour
	// sealingShare is the maximum number of sealing keys per lifetime of a refresh token, however often the
	// SigningKey rotates.
	sealingShare = 16
)

// SealingSecret is the secret of a sealing key. Formatting it does not reveal the secret.
type SealingSecret []byte

// Format writes a placeholder for all verbs.
func (SealingSecret) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "[sealing secret]") }

// MarshalJSON returns the secret in base64url, for the keyring Secret only.
func (k SealingSecret) MarshalJSON() ([]byte, error) {
	return json.Marshal(base64.RawURLEncoding.EncodeToString(k))
}

// UnmarshalJSON decodes the result of MarshalJSON. No error quotes it.
func (k *SealingSecret) UnmarshalJSON(b []byte) error {
	var text string
	err := json.Unmarshal(b, &text)
	if err == nil {
		*k, err = base64.RawURLEncoding.DecodeString(text)
	}
	if err != nil {
		return errors.New("a sealing secret is not base64url")
	}
	return nil
}

// SealingKey is a symmetric key for refresh tokens. Like a signing key, but without targets, it is prepared,
// published to the issuers for the propagation delay, used, kept until the last token has expired, and removed. A
// zero time means that the event has not happened.
type SealingKey struct {
	// Number identifies the key. A later key has a larger number, even after the keyring was lost: it is at least the
	// time of preparation in seconds since 1970.
	Number int64         `json:"number"`
	Secret SealingSecret `json:"secret"`
	// PreparedAt is when the secret was generated.
	PreparedAt time.Time `json:"preparedAt"`
	// PublishedAt is since when the signing-key Secret has held the key without interruption.
	PublishedAt time.Time `json:"publishedAt,omitzero"`
	// UsedAt is when the key came into use in the keyring.
	UsedAt time.Time `json:"usedAt,omitzero"`
	// SupersededAt is when the signing-key Secret was observed with a later key in use. It is reset if the Secret is
	// missing, or has this key in use again.
	SupersededAt time.Time `json:"supersededAt,omitzero"`
	// MaxRefreshLifetime is the maximum lifetime of the refresh tokens that the key has sealed.
	MaxRefreshLifetime time.Duration `json:"maxRefreshLifetimeNanoseconds,omitempty"`
}

// SealingInUse returns the key that seals new tokens, or nil.
func (r *Keyring) SealingInUse() *SealingKey {
	for i := len(r.Sealing) - 1; i >= 0; i-- {
		if !r.Sealing[i].UsedAt.IsZero() {
			return &r.Sealing[i]
		}
	}
	return nil
}

// updateSealing prepares, uses and removes sealing keys.
func (p *planner) updateSealing() {
	if p.policy.MaxRefreshLifetime == 0 || p.policy.Ending() {
		p.dropSealing(func(*SealingKey) bool { return true })
		return
	}
	p.noteSealing()
	p.useNextSealing()
	p.removeSealing()
	p.prepareSealing()
}

// dropSealingOf drops the sealing keys that issuers had together with a revoked signing key, because they may be
// compromised too.
func (p *planner) dropSealingOf(revoked *Key) {
	if revoked.State == Standby {
		return // the issuers never had it
	}
	p.dropSealing(func(s *SealingKey) bool {
		return revoked.SupersededAt.IsZero() || !s.PreparedAt.After(revoked.SupersededAt)
	})
}

// dropSealing drops the keys for which a function returns true.
func (p *planner) dropSealing(which func(*SealingKey) bool) {
	kept := slices.DeleteFunc(p.ring.Sealing, func(s SealingKey) bool { return which(&s) })
	if len(kept) != len(p.ring.Sealing) {
		p.out.SealingChanged = true
	}
	p.ring.Sealing = kept
	if len(kept) == 0 {
		p.ring.Sealing = nil
	}
}

// noteSealing records the observed state of sealing keys, and the maximum lifetime of the tokens of the key in use.
func (p *planner) noteSealing() {
	if s := p.ring.SealingInUse(); s != nil && s.MaxRefreshLifetime < p.policy.MaxRefreshLifetime {
		s.MaxRefreshLifetime, p.out.SealingChanged = p.policy.MaxRefreshLifetime, true
	}
	secret := p.observed.Secret
	for i := range p.ring.Sealing {
		s := &p.ring.Sealing[i]
		switch published := secret.Present && slices.Contains(secret.Sealing, s.Number); {
		case !published:
			s.PublishedAt = time.Time{}
		case s.PublishedAt.IsZero():
			s.PublishedAt = p.now
		}
		switch {
		case !secret.Present || secret.SealingInUse <= s.Number:
			s.SupersededAt = time.Time{}
		case s.SupersededAt.IsZero():
			s.SupersededAt = p.now
		}
	}
}

// useNextSealing uses the next sealing key when the files of all issuers contain it. Otherwise some issuers could not
// open its tokens.
func (p *planner) useNextSealing() {
	next := p.nextSealing()
	if next == nil {
		return
	}
	at := next.PublishedAt.Add(p.policy.PropagationDelay + p.policy.ClockSkew)
	switch {
	case p.ring.SealingInUse() == nil: // without a key in use there are no sessions to keep
	case next.PublishedAt.IsZero():
		return
	case p.at.Before(at):
		p.wakeAt(at)
		return
	}
	next.UsedAt, next.MaxRefreshLifetime, p.out.SealingChanged = p.now, p.policy.MaxRefreshLifetime, true
}

// nextSealing returns the sealing key that is not in use yet, or nil.
func (p *planner) nextSealing() *SealingKey {
	if n := len(p.ring.Sealing); n > 0 && p.ring.Sealing[n-1].UsedAt.IsZero() {
		return &p.ring.Sealing[n-1]
	}
	return nil
}

// removeSealing drops the keys whose last token has expired.
func (p *planner) removeSealing() {
	p.dropSealing(func(s *SealingKey) bool {
		if s.SupersededAt.IsZero() || s.UsedAt.IsZero() {
			return false
		}
		at := s.SupersededAt.Add(p.policy.PropagationDelay + s.MaxRefreshLifetime + p.policy.ClockSkew)
		p.wakeAt(at)
		return !p.at.Before(at)
	})
}

// prepareSealing requests the first key, which is used at once, or the next one after a rotation or sealingInterval.
func (p *planner) prepareSealing() {
	current := p.ring.SealingInUse()
	switch {
	case current == nil:
		p.wantSealing(true)
		return
	case p.nextSealing() != nil || len(p.ring.Sealing) >= MaxSealingKeys:
		return
	}
	due := current.UsedAt.Add(max(0, sealingInterval-p.policy.PropagationDelay))
	if a := p.ring.Active(); a != nil && a.ActivatedAt.After(current.UsedAt) {
		due = current.UsedAt.Add(p.policy.MaxRefreshLifetime / sealingShare)
	}
	if p.at.Before(due) {
		p.wakeAt(due)
		return
	}
	p.wantSealing(false)
}

func (p *planner) wantSealing(atOnce bool) {
	p.out.WantedSealing, p.out.sealAtOnce, p.out.SealingChanged = true, atOnce, true
}

// PrepareSealing adds the wanted sealing key. secret has SealingSecretBytes random bytes. now must not be before the
// time passed to Plan.
func (d *Decision) PrepareSealing(now time.Time, secret SealingSecret, p Policy) {
	k := SealingKey{Number: max(now.Unix(), d.Next.LastSealing+1), Secret: secret, PreparedAt: now}
	d.Next.LastSealing = k.Number
	if d.sealAtOnce {
		k.UsedAt, k.MaxRefreshLifetime = now, p.MaxRefreshLifetime
	}
	d.Next.Sealing = append(d.Next.Sealing, k)
	d.WantedSealing = false
}

// checkSealing rejects sealing keys that Plan cannot have recorded.
func checkSealing(keys []SealingKey) error {
	last, waits := int64(0), false
	for i := range keys {
		k := &keys[i]
		switch {
		case k.Number <= last:
			return errors.New("keyring has sealing keys that are not sorted by number")
		case len(k.Secret) != SealingSecretBytes:
			return fmt.Errorf("keyring has sealing key %d with a secret that is not %d bytes long", k.Number, SealingSecretBytes)
		case waits:
			return errors.New("keyring has a sealing key after one that is not in use yet")
		}
		last, waits = k.Number, k.UsedAt.IsZero()
	}
	return nil
}

func equalSealing(a, b SealingKey) bool {
	return a.Number == b.Number && bytes.Equal(a.Secret, b.Secret) && a.MaxRefreshLifetime == b.MaxRefreshLifetime &&
		a.PreparedAt.Equal(b.PreparedAt) && a.PublishedAt.Equal(b.PublishedAt) && a.UsedAt.Equal(b.UsedAt) && a.SupersededAt.Equal(b.SupersededAt)
}
