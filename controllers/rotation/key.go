package rotation

import (
	"encoding/json"
	"fmt"
	"time"
)

// State is where a key is in its life. Revoked keys are no longer in Keyring.Keys: see Keyring.Revoked.
type State string

// The states of a key in the keyring.
const (
	// Standby keys are published and wait; their private half is in the keyring alone.
	Standby State = "Standby"
	// Active is the one key that issuers sign with.
	Active State = "Active"
	// Retired keys verify only, until the last token they signed has expired. They have no private half.
	Retired State = "Retired"
)

// PrivateJWK is a private key as a JWK (RFC 7517). It never prints itself.
type PrivateJWK []byte

// Format keeps the key out of whatever is printed, whatever the verb.
func (PrivateJWK) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "[private key]") }

// MarshalJSON returns the JWK itself: the keyring Secret is the one place where it is written.
func (k PrivateJWK) MarshalJSON() ([]byte, error) {
	if len(k) == 0 {
		return []byte("null"), nil
	}
	return k, nil
}

// UnmarshalJSON keeps the JWK as it stands.
func (k *PrivateJWK) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*k = nil
		return nil
	}
	*k = append((*k)[:0], b...)
	return nil
}

// KeySpec says what kind of key to generate.
type KeySpec struct {
	// Algorithm is the JWS algorithm (RFC 7518 section 3.1, RFC 8037 for EdDSA).
	Algorithm string `json:"alg"`
	// RSAKeySize is the size of an RSA key in bits, and 0 for every other algorithm.
	RSAKeySize int `json:"rsaKeySize,omitempty"`
}

// Type returns the JWK key type of the algorithm (RFC 7518 section 6.1): EC, RSA or OKP.
func (s KeySpec) Type() string {
	switch {
	case s.Algorithm == "EdDSA":
		return "OKP"
	case len(s.Algorithm) > 0 && s.Algorithm[0] == 'E':
		return "EC"
	default:
		return "RSA"
	}
}

// Material is a freshly generated key pair.
type Material struct {
	// ID is the RFC 7638 SHA-256 thumbprint of the public key, base64url without padding: 43 characters.
	ID      string
	Public  json.RawMessage
	Private PrivateJWK
}

// Key is one key pair with its times, as the keyring holds it. A zero time means: not yet.
type Key struct {
	ID string `json:"kid"`
	KeySpec
	State   State           `json:"state"`
	Public  json.RawMessage `json:"public"`
	Private PrivateJWK      `json:"private,omitempty"`

	// PreparedAt is when the key was generated.
	PreparedAt time.Time `json:"preparedAt,omitzero"`
	// PublishedAt is since when every awaited projection has been seen to hold the key, without a break.
	PublishedAt time.Time `json:"publishedAt,omitzero"`
	// Proof is a digest of the resource versions of all awaited projections, which held the key from PublishedAt to ProofAt
	// without a break. A controller that starts and finds the same digest knows that nothing changed while none was running.
	Proof   string    `json:"proof,omitempty"`
	ProofAt time.Time `json:"proofAt,omitzero"`
	// ActivatedAt is when it was decided that the key signs.
	ActivatedAt time.Time `json:"activatedAt,omitzero"`
	// SigningFrom is when the signing-key Secret was first seen to hold the key as the Active one. The rotation interval
	// counts from here.
	SigningFrom time.Time `json:"signingFrom,omitzero"`
	// RetiredAt is when it was decided that the key no longer signs, RetiredIn the keyring generation that said so.
	RetiredAt time.Time `json:"retiredAt,omitzero"`
	RetiredIn int64     `json:"retiredInGeneration,omitempty"`
	// SupersededAt is when the signing-key Secret SupersededIn was seen without this key as the Active one. It is forgotten
	// if the key reappears there, if the Secret is seen to be missing, and if it is another one: it was missing meanwhile.
	// Issuers may sign with the key for up to the propagation delay after it.
	SupersededAt time.Time `json:"supersededAt,omitzero"`
	SupersededIn string    `json:"supersededIn,omitempty"`
	// MaxLifetime is the longest token lifetime that the key ever signed under, in nanoseconds.
	MaxLifetime time.Duration `json:"maxLifetimeNanoseconds,omitempty"`
	// RemovedAt is when the key left the published set. It leaves the keyring when it was seen gone.
	RemovedAt time.Time `json:"removedAt,omitzero"`
}

// Published reports whether the key belongs in every JWKS.
func (k *Key) Published() bool { return k.RemovedAt.IsZero() }
