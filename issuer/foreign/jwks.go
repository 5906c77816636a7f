package foreign

import (
	"crypto/rsa"
	"errors"
	"fmt"

	jose "github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json"

	"github.com/keywright/keywright/issuer/token"
)

// ParseKeySet reads a JWKS (RFC 7517 section 5). Keys of types that are not known are left out (section 5.1); a symmetric, a
// private or a weak one is an error.
func ParseKeySet(b []byte) (*jose.JSONWebKeySet, error) {
	var raw struct {
		Keys []josejson.RawMessage `json:"keys"`
	}
	if err := josejson.Unmarshal(b, &raw); err != nil || raw.Keys == nil {
		return nil, errors.New("not a JWKS")
	}
	keys := &jose.JSONWebKeySet{}
	for _, member := range raw.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(member) != nil {
			continue
		}
		if !key.Valid() || !key.IsPublic() {
			return nil, errors.New("a JWKS with a key that is not public")
		}
		if public, ok := key.Key.(*rsa.PublicKey); ok && !token.Strong(public) {
			return nil, fmt.Errorf("a JWKS with an RSA key that is not of %d to %d bits, with an exponent of %d or more",
				token.MinRSABits, token.MaxRSABits, token.MinRSAExponent)
		}
		keys.Keys = append(keys.Keys, key)
	}
	if len(keys.Keys) == 0 {
		return nil, errors.New("a JWKS without a key that is known")
	}
	return keys, nil
}
