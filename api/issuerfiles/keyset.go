package issuerfiles

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// PublicKey is a public key of a set: its kid and its JWK.
type PublicKey struct {
	ID  string
	JWK json.RawMessage
}

// EncodeKeySet returns a JWKS (RFC 7517 section 5), sorted by kid, so that equal sets have equal bytes. Without keys
// it returns the tombstone of the algorithm, because no distributed set may be empty.
func EncodeKeySet(algorithm string, keys []PublicKey) []byte {
	if len(keys) == 0 {
		return Tombstone(algorithm)
	}
	sorted := slices.SortedFunc(slices.Values(keys), func(a, b PublicKey) int { return strings.Compare(a.ID, b.ID) })
	var b bytes.Buffer
	b.WriteString(`{"keys":[`)
	for i, k := range sorted {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(k.JWK)
	}
	b.WriteString("]}")
	return b.Bytes()
}

// DecodeKeySet returns the keys of a JWKS, without a tombstone. It does not validate the JWKs.
func DecodeKeySet(jwks []byte) ([]PublicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(jwks, &set); err != nil || set.Keys == nil {
		return nil, errors.New("is not a JWKS")
	}
	keys := make([]PublicKey, 0, len(set.Keys))
	for _, raw := range set.Keys {
		if id := KeyID(raw); !IsTombstone(id) {
			keys = append(keys, PublicKey{ID: id, JWK: raw})
		}
	}
	return keys, nil
}

// KeyID returns the kid of a JWK, or "".
func KeyID(jwk []byte) string {
	var k struct {
		ID string `json:"kid"`
	}
	if json.Unmarshal(jwk, &k) != nil {
		return ""
	}
	return k.ID
}

// KeyIDs returns the kids of a JWKS without a tombstone, or nil if it is not a JWKS.
func KeyIDs(jwks []byte) []string {
	keys, err := DecodeKeySet(jwks)
	if err != nil {
		return nil
	}
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	return ids
}

// Without returns a JWKS without the given keys, and whether that changed it. If no key is left, it returns a
// tombstone of their type. It returns other text unchanged.
func Without(jwks []byte, revoked []string) ([]byte, bool) {
	keys, err := DecodeKeySet(jwks)
	if err != nil {
		return jwks, false
	}
	kept := slices.DeleteFunc(slices.Clone(keys), func(k PublicKey) bool { return slices.Contains(revoked, k.ID) })
	if len(kept) == len(keys) {
		return jwks, false
	}
	return EncodeKeySet(Algorithm(keys[0].JWK), kept), true
}

// Algorithm returns the alg of a JWK, or "".
func Algorithm(jwk []byte) string {
	var k struct {
		Algorithm string `json:"alg"`
	}
	if json.Unmarshal(jwk, &k) != nil {
		return ""
	}
	return k.Algorithm
}

// AlgorithmOfSet returns the alg of the first key of a JWKS, even of a tombstone, or "".
func AlgorithmOfSet(jwks []byte) string {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(jwks, &set) != nil || len(set.Keys) == 0 {
		return ""
	}
	return Algorithm(set.Keys[0])
}
