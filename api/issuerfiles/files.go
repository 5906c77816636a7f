package issuerfiles

import (
	"fmt"

	"github.com/keywright/keywright/api/contract"
)

// Files are the entries of a signing-key Secret.
type Files struct {
	// Active is the Active key as a private JWK (RFC 7517 section 4). It is empty if no key signs: the SigningKey
	// starts, drains or is deleted, or its key was revoked without a successor.
	Active PrivateJWK
	// KeySet is the JWKS of the published keys (RFC 7517 section 5), a tombstone if there are none.
	KeySet []byte
	// Policy is the issuing policy.
	Policy Policy
	// Revoked contains the keys that must not sign, even if one is Active.
	Revoked Revoked
	// Sealing are the keys of refresh tokens, none without sessions.
	Sealing SealingKeys
}

// PrivateJWK is a private key as a JWK (RFC 7517 section 4). Formatting it does not reveal the key.
type PrivateJWK []byte

// Format writes a placeholder for all verbs.
func (PrivateJWK) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "[private key]") }

// Encode returns the data of the signing-key Secret.
func (f Files) Encode() (map[string][]byte, error) {
	policy, err := f.Policy.Encode()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", contract.PolicyFile, err)
	}
	data := map[string][]byte{
		contract.JWKSFile: f.KeySet, contract.PolicyFile: policy, contract.RevokedFile: f.Revoked.Encode(),
	}
	if len(f.Active) > 0 {
		data[contract.ActiveFile] = f.Active
	}
	if len(f.Sealing) > 0 {
		data[contract.SealingFile] = f.Sealing.Encode()
	}
	return data, nil
}

// Decode decodes the data of a signing-key Secret. A missing revocation list is empty. It does not validate the keys.
// No error quotes a file.
func Decode(data map[string][]byte) (Files, error) {
	f := Files{Active: data[contract.ActiveFile], KeySet: data[contract.JWKSFile]}
	var err error
	if f.Policy, err = DecodePolicy(data[contract.PolicyFile]); err != nil {
		return Files{}, fmt.Errorf("%s: %w", contract.PolicyFile, err)
	}
	if list, ok := data[contract.RevokedFile]; ok {
		if f.Revoked, err = DecodeRevoked(list); err != nil {
			return Files{}, fmt.Errorf("%s: %w", contract.RevokedFile, err)
		}
	}
	if keys, ok := data[contract.SealingFile]; ok {
		if f.Sealing, err = DecodeSealing(keys); err != nil {
			return Files{}, fmt.Errorf("%s: %w", contract.SealingFile, err)
		}
	}
	return f, nil
}
