package jwtverify

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	jose "github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json"
)

// ParseKeySet reads a JWKS (RFC 7517 section 5). A key that cannot be used is left out, as that section says, and does not take the others
// along; why is returned, for each that whoever publishes the set should look at: one that is weak, private or symmetric, or of the kid and
// the algorithm of another one. A key of an unknown type or for another use is left out without a word. A set without any key that can
// be used is an error.
func ParseKeySet(b []byte) (keys *jose.JSONWebKeySet, leftOut []string, err error) {
	var raw struct {
		Keys []josejson.RawMessage `json:"keys"`
	}
	if err := josejson.Unmarshal(b, &raw); err != nil || raw.Keys == nil {
		return nil, nil, errors.New("is not a JWKS")
	}
	keys = &jose.JSONWebKeySet{}
	for i, member := range raw.Keys {
		key, problem := parseKey(member)
		switch {
		case problem != "":
			leftOut = append(leftOut, fmt.Sprintf("key %d: %s", i+1, problem))
		case key != nil:
			keys.Keys = append(keys.Keys, *key)
		}
	}
	leftOut = append(leftOut, leaveOutTwins(keys)...)
	if len(keys.Keys) == 0 {
		return nil, leftOut, errors.New("has no key that verifies signatures")
	}
	return keys, leftOut, nil
}

// parseKey reads one key that may verify signatures, nil if it is for something else.
func parseKey(member []byte) (key *jose.JSONWebKey, problem string) {
	var members map[string]*josejson.RawMessage
	if josejson.Unmarshal(member, &members) != nil {
		return nil, "it is ambiguous JSON: repeated names, invalid UTF-8, or trailing data"
	}
	for _, name := range []string{"x5c", "x5u", "x5t", "x5t#S256"} { // certificates mean nothing here, and many cannot be read
		delete(members, name)
	}
	if !verifies(members) {
		return nil, ""
	}
	bare, err := json.Marshal(members)
	key = &jose.JSONWebKey{}
	if err != nil || key.UnmarshalJSON(bare) != nil {
		return nil, ""
	}
	if !key.Valid() || !key.IsPublic() {
		return nil, "it is not public"
	}
	if Weak(key.Key) {
		return nil, fmt.Sprintf("it is an RSA key that can be factored (ROCA), or not of %d to %d bits with an exponent of %d or more", MinRSABits,
			MaxRSABits, MinRSAExponent)
	}
	return key, ""
}

// verifies reports whether a key may verify signatures (RFC 7517 sections 4.2 and 4.3).
func verifies(members map[string]*josejson.RawMessage) bool {
	if use := members["use"]; use != nil && string(*use) != `"sig"` {
		return false
	}
	operations := members["key_ops"]
	if operations == nil {
		return true
	}
	var list []string
	return josejson.Unmarshal(*operations, &list) == nil && slices.Contains(list, "verify")
}

// leaveOutTwins removes keys that have kid and algorithm of another one, which a token cannot tell apart. Of one key that is there twice,
// the second goes.
func leaveOutTwins(keys *jose.JSONWebKeySet) (leftOut []string) {
	type name struct{ kid, alg string }
	byName := map[name][]jose.JSONWebKey{}
	for i := range keys.Keys {
		key := &keys.Keys[i]
		n := name{key.KeyID, key.Algorithm}
		if !slices.ContainsFunc(byName[n], func(o jose.JSONWebKey) bool { return sameKey(key, &o) }) {
			byName[n] = append(byName[n], *key)
		}
	}
	var kept []jose.JSONWebKey
	for i := range keys.Keys {
		n := name{keys.Keys[i].KeyID, keys.Keys[i].Algorithm}
		switch twins := byName[n]; {
		case len(twins) == 1:
			kept = append(kept, twins[0])
		case len(twins) > 1 && n.kid != "":
			leftOut = append(leftOut, fmt.Sprintf("%d keys have the kid %.64q and the alg %.16q", len(twins), n.kid, n.alg))
		case len(twins) > 1:
			kept = append(kept, twins...) // without a kid nobody asks for them
		}
		delete(byName, n)
	}
	keys.Keys = kept
	return leftOut
}

// sameKey reports whether two keys are one.
func sameKey(a, b *jose.JSONWebKey) bool {
	one, ok := a.Key.(interface{ Equal(x crypto.PublicKey) bool })
	if ok {
		return one.Equal(b.Key)
	}
	return false
}
