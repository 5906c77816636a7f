package rotation

import (
	"encoding/json"
	"fmt"
	"time"
)

// State is the state of a key. Revoked keys are not in Keyring.Keys but in Keyring.Revoked.
type State string

// The states of a key in the keyring.
const (
	// Standby keys are published and wait for activation. Only the keyring contains their private key.
	Standby State = "Standby"
	// Active is the single key that issuers sign with.
	Active State = "Active"
	// Retired keys only verify, until the last token that they signed has expired. They have no private key.
	Retired State = "Retired"
)

// PrivateJWK is a private key as a JWK (RFC 7517). Formatting it does not reveal the key.
type PrivateJWK []byte

// Format writes a placeholder for all verbs.
func (PrivateJWK) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "[private key]") }

// MarshalJSON returns the JWK, for the keyring Secret only.
func (k PrivateJWK) MarshalJSON() ([]byte, error) {
	if len(k) == 0 {
		return []byte("null"), nil
	}
	return k, nil
}

// UnmarshalJSON stores the JWK unchanged.
func (k *PrivateJWK) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*k = nil
		return nil
	}
	*k = append((*k)[:0], b...)
	return nil
}

// KeySpec specifies a key to generate.
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

// Material is a generated key pair.
type Material struct {
	// ID is the RFC 7638 SHA-256 thumbprint of the public key, base64url without padding: 43 characters.
	ID      string
	Public  json.RawMessage
	Private PrivateJWK
}

// Key is a key pair with its times in the keyring. A zero time means that the event has not happened.
type Key struct {
	ID string `json:"kid"`
	KeySpec
	State   State           `json:"state"`
	Public  json.RawMessage `json:"public"`
	Private PrivateJWK      `json:"private,omitempty"`

	// PreparedAt is when the key was generated.
	PreparedAt time.Time `json:"preparedAt,omitzero"`
	// PublishedAt is since when every awaited projection has held the key without interruption.
	PublishedAt time.Time `json:"publishedAt,omitzero"`
	// Proof is a digest of the resource versions of all awaited projections, which held the key from PublishedAt to
	// ProofAt. If a starting controller finds the same digest, nothing changed while none was running.
	Proof   string    `json:"proof,omitempty"`
	ProofAt time.Time `json:"proofAt,omitzero"`
	// ActivatedAt is when the key was activated in the keyring.
	ActivatedAt time.Time `json:"activatedAt,omitzero"`
	// SigningFrom is when the signing-key Secret was first observed with the key as the Active one. The rotation
	// interval starts here.
	SigningFrom time.Time `json:"signingFrom,omitzero"`
	// RetiredAt is when the key was retired in the keyring, and RetiredIn the generation of that keyring.
	RetiredAt time.Time `json:"retiredAt,omitzero"`
	RetiredIn int64     `json:"retiredInGeneration,omitempty"`
	// SupersededAt is when the signing-key Secret SupersededIn was observed with another Active key. It is reset if
	// the key reappears there, or if the Secret is missing or was replaced. Issuers may sign with the key for up to
	// the propagation delay after it.
	SupersededAt time.Time `json:"supersededAt,omitzero"`
	SupersededIn string    `json:"supersededIn,omitempty"`
	// MaxLifetime is the maximum token lifetime of the policies that the key signed under, in nanoseconds.
	MaxLifetime time.Duration `json:"maxLifetimeNanoseconds,omitempty"`
	// RemovedAt is when the key left the published set. The key leaves the keyring once the Secret is observed
	// without it.
	RemovedAt time.Time `json:"removedAt,omitzero"`
}

// Published reports whether the key belongs in every JWKS.
func (k *Key) Published() bool { return k.RemovedAt.IsZero() }
