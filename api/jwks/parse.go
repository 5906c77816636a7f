package jwks

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	jose "github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json"
)

// LeftOut is a key of a set that is skipped.
type LeftOut struct {
	// Position is the position in the set, from 1, or 0 for several keys.
	Position int `json:"position,omitempty"`
	// KeyID is the kid, truncated if it is long, or "".
	KeyID string `json:"keyID,omitempty"`
	// Reason is why the key is skipped. It does not quote the key.
	Reason string `json:"reason"`
	// Ordinary is true if issuers publish such keys on purpose, for example for another use.
	Ordinary bool `json:"ordinary,omitempty"`
}

// String returns the position of the key and the reason.
func (l LeftOut) String() string {
	if l.Position == 0 {
		return l.Reason
	}
	return fmt.Sprintf("key %d: %s", l.Position, l.Reason)
}

// Problems returns the texts of the keys that are not Ordinary.
func Problems(leftOut []LeftOut) []string {
	var texts []string
	for _, l := range leftOut {
		if !l.Ordinary {
			texts = append(texts, l.String())
		}
	}
	return texts
}

// Parse parses the JWKS of another issuer (RFC 7517 section 5). It skips unusable keys, as that section requires. A
// set without a usable key is an error.
func Parse(b []byte) (keys *jose.JSONWebKeySet, leftOut []LeftOut, err error) {
	members, err := split(b)
	if err != nil {
		return nil, nil, err
	}
	keys = &jose.JSONWebKeySet{}
	for i, member := range members {
		key, l := parseKey(member)
		if key == nil {
			l.Position, l.KeyID = i+1, kidOf(member)
			leftOut = append(leftOut, l)
			continue
		}
		keys.Keys = append(keys.Keys, *key)
	}
	leftOut = append(leftOut, removeAmbiguous(keys)...)
	if len(keys.Keys) == 0 {
		return nil, leftOut, errors.New("has no key that verifies signatures")
	}
	return keys, leftOut, nil
}

// split returns the elements of the array keys.
func split(b []byte) ([]josejson.RawMessage, error) {
	var raw struct {
		Keys []josejson.RawMessage `json:"keys"`
	}
	if err := josejson.Unmarshal(b, &raw); err != nil || raw.Keys == nil {
		return nil, errors.New("is not a JWKS")
	}
	return raw.Keys, nil
}

// kidOf returns the kid of an unusable key, for reports.
func kidOf(member []byte) string {
	var k struct {
		KeyID string `json:"kid"`
	}
	_ = json.Unmarshal(member, &k) // the kid stays empty on errors
	return fmt.Sprintf("%.64s", strings.ToValidUTF8(k.KeyID, "?"))
}

// parseKey parses a key that may verify signatures, or returns why it is skipped.
func parseKey(member []byte) (*jose.JSONWebKey, LeftOut) {
	var members map[string]*josejson.RawMessage
	if josejson.Unmarshal(member, &members) != nil {
		return nil, LeftOut{Reason: "it must be a single JSON object, without repeated names, invalid UTF-8, or data after its end"}
	}
	for _, name := range []string{"x5c", "x5u", "x5t", "x5t#S256"} { // certificates are not used, and many do not parse
		delete(members, name)
	}
	if !verifies(members) {
		return nil, LeftOut{Reason: "it is not for signatures", Ordinary: true}
	}
	bare, err := json.Marshal(members)
	key := &jose.JSONWebKey{}
	if err != nil || key.UnmarshalJSON(bare) != nil {
		return nil, LeftOut{
			Reason:   fmt.Sprintf("its type is unknown, its members do not fit its type, or it is an RSA key of more than %d bits", jose.MaxRSAModulusBits),
			Ordinary: true,
		}
	}
	if !key.Valid() || !key.IsPublic() {
		return nil, LeftOut{Reason: "it is not public, or is not valid"}
	}
	if Weak(key.Key) {
		return nil, LeftOut{Reason: fmt.Sprintf("it is a weak RSA key: it can be factored (ROCA), or does not have %d to %d bits and an exponent of at least %d",
			MinRSABits, MaxRSABits, MinRSAExponent)}
	}
	return key, LeftOut{}
}

// verifies reports whether use and key_ops allow verification (RFC 7517 sections 4.2 and 4.3).
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

// removeAmbiguous removes keys with the kid and algorithm of another key, since a token does not distinguish them.
// For a duplicate of the same key, it removes the second.
func removeAmbiguous(keys *jose.JSONWebKeySet) (leftOut []LeftOut) {
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
			leftOut = append(leftOut, LeftOut{
				KeyID: fmt.Sprintf("%.64s", n.kid), Reason: fmt.Sprintf("%d keys have the kid %.64q and the alg %.16q", len(twins), n.kid, n.alg),
			})
		case len(twins) > 1:
			kept = append(kept, twins...) // tokens do not refer to keys without a kid
		}
		delete(byName, n)
	}
	keys.Keys = kept
	return leftOut
}

// sameKey reports whether two keys are equal.
func sameKey(a, b *jose.JSONWebKey) bool {
	one, ok := a.Key.(interface{ Equal(x crypto.PublicKey) bool })
	if ok {
		return one.Equal(b.Key)
	}
	return false
}
