package issuerfiles

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	// sealingVersion is the version of sealing.json.
	sealingVersion = 1
	// SealingSecretBytes is the length of a sealing secret: AES-256 (RFC 7518 section 5.3).
	SealingSecretBytes = 32
	// maxSealingKeys is the maximum number of keys in a file.
	maxSealingKeys = 64
)

// SealingSecret is the secret of a sealing key. Formatting it does not reveal the secret.
type SealingSecret []byte

// Format writes a placeholder for all verbs.
func (SealingSecret) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "[sealing secret]") }

// SealingKey is a symmetric key for refresh tokens.
type SealingKey struct {
	// Number identifies the key. A later key has a larger number.
	Number int64
	Secret SealingSecret
	// PreparedAt is when the key was generated, and UsedAt when it came into use, or zero. Both are in whole seconds,
	// and are read when a keyring is rebuilt.
	PreparedAt, UsedAt time.Time
	// MaxRefreshLifetime is the maximum lifetime of the refresh tokens that the key has sealed, in whole seconds.
	MaxRefreshLifetime time.Duration
}

// SealingKeys are the entry sealing.json of the signing-key Secret, sorted by number. The last key in use seals; all
// keys open. It is empty without sessions, and the entry is absent.
type SealingKeys []SealingKey

// InUse returns the key that seals new tokens.
func (k SealingKeys) InUse() (SealingKey, bool) {
	for i := len(k) - 1; i >= 0; i-- {
		if !k[i].UsedAt.IsZero() {
			return k[i], true
		}
	}
	return SealingKey{}, false
}

// Find returns the key with a number.
func (k SealingKeys) Find(number int64) (SealingKey, bool) {
	for i := range k {
		if k[i].Number == number {
			return k[i], true
		}
	}
	return SealingKey{}, false
}

// Newest returns the largest number, or 0.
func (k SealingKeys) Newest() int64 {
	if len(k) == 0 {
		return 0
	}
	return k[len(k)-1].Number
}

type sealingJSON struct {
	Version int              `json:"version"`
	Keys    []sealingKeyJSON `json:"keys"`
}

type sealingKeyJSON struct {
	Number             int64  `json:"number"`
	Secret             string `json:"secret"`
	PreparedAt         int64  `json:"preparedAt"`
	UsedAt             int64  `json:"usedAt,omitempty"`
	MaxRefreshLifetime int64  `json:"maxRefreshLifetimeSeconds,omitempty"`
}

// Encode returns sealing.json. Equal keys have equal bytes.
func (k SealingKeys) Encode() []byte {
	out := sealingJSON{Version: sealingVersion, Keys: make([]sealingKeyJSON, len(k))}
	for i := range k {
		out.Keys[i] = sealingKeyJSON{
			Number: k[i].Number, Secret: base64.RawURLEncoding.EncodeToString(k[i].Secret),
			PreparedAt: k[i].PreparedAt.Unix(), MaxRefreshLifetime: int64(k[i].MaxRefreshLifetime / time.Second),
		}
		if !k[i].UsedAt.IsZero() {
			out.Keys[i].UsedAt = k[i].UsedAt.Unix()
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic(err) // strings and numbers are always valid
	}
	return b
}

// DecodeSealing decodes sealing.json and ignores unknown members. Another version is an error. No error quotes the
// file.
func DecodeSealing(b []byte) (SealingKeys, error) {
	var in sealingJSON
	d := json.NewDecoder(bytes.NewReader(b))
	switch err := d.Decode(&in); {
	case err != nil || d.More():
		return nil, errors.New("is not a list of sealing keys")
	case in.Version != sealingVersion:
		return nil, fmt.Errorf("has version %d, and this program reads version %d", in.Version, sealingVersion)
	case len(in.Keys) > maxSealingKeys:
		return nil, fmt.Errorf("has more than %d keys", maxSealingKeys)
	}
	keys := make(SealingKeys, len(in.Keys))
	for i, k := range in.Keys {
		secret, err := base64.RawURLEncoding.DecodeString(k.Secret)
		switch {
		case err != nil || len(secret) != SealingSecretBytes:
			return nil, fmt.Errorf("has a secret that is not %d bytes in base64url", SealingSecretBytes)
		case k.Number <= 0 || i > 0 && k.Number <= in.Keys[i-1].Number:
			return nil, errors.New("has keys that are not sorted by number")
		case k.PreparedAt < 0 || k.UsedAt < 0 || k.MaxRefreshLifetime < 0 || k.MaxRefreshLifetime > int64(LongestRefreshLifetime/time.Second):
			return nil, errors.New("has a time or a lifetime that is out of bounds")
		}
		keys[i] = SealingKey{
			Number: k.Number, Secret: secret, PreparedAt: time.Unix(k.PreparedAt, 0).UTC(),
			MaxRefreshLifetime: time.Duration(k.MaxRefreshLifetime) * time.Second,
		}
		if k.UsedAt > 0 {
			keys[i].UsedAt = time.Unix(k.UsedAt, 0).UTC()
		}
	}
	return keys, nil
}
