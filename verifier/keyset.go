package verifier

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/keywright/keywright/verifier/internal/jws"
	"github.com/keywright/keywright/verifier/internal/strictjson"
)

// The limits of a key set. A ConfigMap holds at most 1 MiB.
const (
	maxKeySetBytes = 1 << 20
	maxKeys        = 256
)

// KeySet is a validated, immutable set of public signature keys. The zero KeySet is empty.
type KeySet struct {
	keys    map[string]*key
	skipped int
}

// ParseKeySet parses a JWK Set (RFC 7517 section 5) of at most 1 MiB and 256 keys. Every key must have a unique kid,
// an alg of ES256, ES384, ES512, EdDSA, RS256, RS384 or RS512 with the matching kty and crv, use "sig", and, if it
// has key_ops, "verify" among them. RSA keys need 2048 to 8192 bits and an odd exponent of at least 65537; points
// must lie on their curve.
//
// One invalid key makes the whole set invalid, because a partial set would silently reject valid tokens: for example
// a duplicate kid, a private or symmetric key, or a number out of bounds. A key with an unknown kty or alg is skipped
// instead, as RFC 7517 section 5 requires, and verifies no token. A set without a usable key is valid.
//
// The error names the key by its index in the set.
func ParseKeySet(data []byte) (*KeySet, error) {
	if len(data) > maxKeySetBytes {
		return nil, fmt.Errorf("key set is longer than %d bytes", maxKeySetBytes)
	}
	members, err := strictjson.Parse(string(data), nil)
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	keys, ok := strictjson.List(members.Find("keys"))
	if !ok {
		return nil, errors.New("key set: keys is missing or not a list")
	}
	if len(keys) > maxKeys {
		return nil, fmt.Errorf("key set has %d keys, and at most %d are allowed", len(keys), maxKeys)
	}
	set := &KeySet{keys: make(map[string]*key, len(keys))}
	seen := make(map[string]bool, len(keys)) // also the kids of skipped keys, so that each kid is unique
	for i, key := range keys {
		jwk, err := strictjson.Parse(key, nil)
		if err != nil {
			return nil, fmt.Errorf("key set: key %d: %w", i, err)
		}
		if kid, ok := strictjson.Text(jwk.Find("kid")); ok {
			if seen[kid] {
				return nil, fmt.Errorf("key set: key %d has the kid of another key", i)
			}
			seen[kid] = true
		}
		if err := set.add(jwk); err != nil {
			return nil, fmt.Errorf("key set: key %d: %w", i, err)
		}
	}
	return set, nil
}

// add adds the key to the set, or counts it as skipped.
func (s *KeySet) add(jwk strictjson.Object) error {
	parsed, err := parseKey(jwk)
	if errors.Is(err, jws.ErrUnsupported) {
		s.skipped++
		return nil
	}
	if err != nil {
		return err
	}
	s.keys[parsed.id] = parsed
	return nil
}

// withoutKeys returns a copy of the set without the given key IDs.
func (s *KeySet) withoutKeys(ids []string) *KeySet {
	left := &KeySet{keys: maps.Clone(s.keys), skipped: s.skipped}
	for _, id := range ids {
		delete(left.keys, id)
	}
	return left
}

// KeyIDs returns the sorted kids of the usable keys.
func (s *KeySet) KeyIDs() []string {
	ids := make([]string, 0, len(s.keys))
	for id := range s.keys {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
