package verifier

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/keywright/keywright/verifier/internal/jws"
	"github.com/keywright/keywright/verifier/internal/strictjson"
)

// The bounds of a key set. A ConfigMap holds at most 1 MiB, and a SigningKey a handful of keys.
const (
	maxKeySetBytes = 1 << 20
	maxKeys        = 256
)

// KeySet is a checked set of public signature keys. It never changes; the zero KeySet knows no key.
type KeySet struct {
	keys    map[string]*key
	skipped int
}

// ParseKeySet reads a JWK Set (RFC 7517 section 5) of at most 1 MiB and 256 keys. Every key must have a kid of its own,
// an alg of ES256, ES384, ES512, EdDSA, RS256, RS384 or RS512 with the kty and crv that go with it, use "sig", and, if
// it has key_ops, "verify" among them. RSA keys need 2048 to 8192 bits and an odd exponent from 65537 on; points must
// lie on their curve.
//
// One bad key refuses the whole set, because half a set would refuse valid tokens without a word: a duplicate kid, a
// private or symmetric key, a number out of bounds. The exception is a key with a kty or alg that this package does not
// know, which is skipped, as RFC 7517 section 5 asks, so that a newer issuer can publish one; no token is ever accepted
// under it. A set without a usable key is valid, and trusts nobody.
//
// The error names the key by its place in the set, from 0 on.
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
		return nil, fmt.Errorf("key set has %d keys, more than %d", len(keys), maxKeys)
	}
	set := &KeySet{keys: make(map[string]*key, len(keys))}
	seen := make(map[string]bool, len(keys)) // also the kids of skipped keys: which one is meant must be certain
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

// add puts the key into the set, or counts it as skipped.
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

// without returns the set without some keys.
func (s *KeySet) without(ids []string) *KeySet {
	left := &KeySet{keys: maps.Clone(s.keys), skipped: s.skipped}
	for _, id := range ids {
		delete(left.keys, id)
	}
	return left
}

// KeyIDs returns the kids of the keys that tokens are accepted under, sorted.
func (s *KeySet) KeyIDs() []string {
	ids := make([]string, 0, len(s.keys))
	for id := range s.keys {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
