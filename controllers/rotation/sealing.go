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

// The bounds of sealing keys.
const (
	// SealingSecretBytes is the length of a sealing secret: AES-256 (RFC 7518 section 5.3).
	SealingSecretBytes = 32
	// MaxSealingKeys bounds the sealing keys of a keyring. The next one waits for room.
	MaxSealingKeys = 32
	// sealingInterval is after what time a sealing key is replaced, at the latest. Its nonces are random, so that it may seal 2^32
	// tokens (NIST SP 800-38D section 8.3).
	sealingInterval = 29 * 24 * time.Hour
	// sealingShare bounds how many sealing keys one lifetime of a refresh token sees, however often the SigningKey rotates.
	sealingShare = 16
)

// SealingSecret is the secret of a sealing key. It never prints itself.
type SealingSecret []byte

// Format keeps the secret out of whatever is printed, whatever the verb.
func (SealingSecret) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "[sealing secret]") }

// MarshalJSON returns the secret in base64url: the keyring Secret is the one place where it is written so.
func (k SealingSecret) MarshalJSON() ([]byte, error) {
	return json.Marshal(base64.RawURLEncoding.EncodeToString(k))
}

// UnmarshalJSON reads what MarshalJSON writes. No error quotes it.
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

// SealingKey is a symmetric key that issuers seal refresh tokens with. It goes the way of a signing key, without targets: prepared,
// published to the issuers for the propagation delay, used, kept until the last token has expired, removed. A zero time means: not yet.
type SealingKey struct {
	// Number names the key. A later one has a larger number, also after the keyring was lost: it is not below the time of the
	// preparation in seconds since 1970.
	Number int64         `json:"number"`
	Secret SealingSecret `json:"secret"`
	// PreparedAt is when the secret was made.
	PreparedAt time.Time `json:"preparedAt"`
	// PublishedAt is since when the signing-key Secret has been seen to hold the key, without a break.
	PublishedAt time.Time `json:"publishedAt,omitzero"`
	// UsedAt is when it was decided that issuers seal with the key.
	UsedAt time.Time `json:"usedAt,omitzero"`
	// SupersededAt is when the signing-key Secret was seen with a later key in use. It is forgotten if the Secret is seen to be missing, or
	// with this key in use again.
	SupersededAt time.Time `json:"supersededAt,omitzero"`
	// MaxRefreshLifetime is the longest lifetime of a refresh token that the key ever sealed under.
	MaxRefreshLifetime time.Duration `json:"maxRefreshLifetimeNanoseconds,omitempty"`
}

// SealingInUse returns the key that issuers seal with, nil if there is none.
func (r *Keyring) SealingInUse() *SealingKey {
	for i := len(r.Sealing) - 1; i >= 0; i-- {
		if !r.Sealing[i].UsedAt.IsZero() {
			return &r.Sealing[i]
		}
	}
	return nil
}

// seal prepares, uses and removes sealing keys.
func (p *planner) seal() {
	if p.policy.MaxRefreshLifetime == 0 || p.policy.Ending() {
		p.dropSealing(func(*SealingKey) bool { return true })
		return
	}
	p.noteSealing()
	p.useNextSealing()
	p.removeSealing()
	p.prepareSealing()
}

// unseal drops the sealing keys that the issuers had along with a signing key that is revoked: who has the one has the others.
func (p *planner) unseal(revoked *Key) {
	if revoked.State == Standby {
		return // the issuers never had it
	}
	p.dropSealing(func(s *SealingKey) bool {
		return revoked.SupersededAt.IsZero() || !s.PreparedAt.After(revoked.SupersededAt)
	})
}

// dropSealing drops the keys that which reports true for.
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

// noteSealing records what was seen of the signing-key Secret, and the longest lifetime of what the key in use seals.
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

// useNextSealing lets issuers seal with the next key when the files of all of them are bound to have it: to one that lacks it, its tokens
// are unreadable.
func (p *planner) useNextSealing() {
	next := p.nextSealing()
	if next == nil {
		return
	}
	at := next.PublishedAt.Add(p.policy.PropagationDelay + p.policy.ClockSkew)
	switch {
	case p.ring.SealingInUse() == nil: // no session is there that a wait could keep
	case next.PublishedAt.IsZero():
		return
	case p.at.Before(at):
		p.wakeAt(at)
		return
	}
	next.UsedAt, next.MaxRefreshLifetime, p.out.SealingChanged = p.now, p.policy.MaxRefreshLifetime, true
}

// nextSealing returns the key that waits, nil if there is none.
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

// prepareSealing wants a first key, which is used at once, or the next one when it is due: after a rotation, and in any case after
// sealingInterval.
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

// PrepareSealing adds the sealing key that the decision wanted. secret has SealingSecretBytes random bytes. now must not be before the
// time given to Plan.
func (d *Decision) PrepareSealing(now time.Time, secret SealingSecret, p Policy) {
	k := SealingKey{Number: max(now.Unix(), d.Next.LastSealing+1), Secret: secret, PreparedAt: now}
	d.Next.LastSealing = k.Number
	if d.sealAtOnce {
		k.UsedAt, k.MaxRefreshLifetime = now, p.MaxRefreshLifetime
	}
	d.Next.Sealing = append(d.Next.Sealing, k)
	d.WantedSealing = false
}

// checkSealing refuses sealing keys that no Plan can have made.
func checkSealing(keys []SealingKey) error {
	last, waits := int64(0), false
	for i := range keys {
		k := &keys[i]
		switch {
		case k.Number <= last:
			return errors.New("keyring has sealing keys that are not in the order of their numbers")
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
