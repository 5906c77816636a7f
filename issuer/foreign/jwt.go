package foreign

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/issuer/token"
)

// MaxBytes bounds a JWT.
const MaxBytes = 8 << 10

// Skew is by how much the clocks of others may differ.
const Skew = 30 * time.Second

// ErrUnknownKey is that the key of a JWT is not in the set.
var ErrUnknownKey = errors.New("its key is not known")

// Expected is what a JWT must say.
type Expected struct {
	Issuer string
	// Audience must be among its aud. With OnlyAudience it must be the only one.
	Audience     string
	OnlyAudience bool
	// Types are the typ that its header may have, in lower case. A JWT without one passes.
	Types []string
	// MaxLifetime bounds how long it may still live, 0 for any time.
	MaxLifetime time.Duration
}

// JWT is a JWT whose signature and claims are right.
type JWT struct {
	Subject, ID string
	Expiry      time.Time
	// Claims are all of them.
	Claims map[string]any
}

// Verify checks a JWT in compact form (RFC 7519, RFC 8725): its key by kid, with the algorithm of that key; iss, aud, exp,
// nbf and iat. No error quotes it.
func Verify(compact string, keys *jose.JSONWebKeySet, want Expected, now time.Time) (*JWT, error) {
	payload, err := verifySignature(compact, keys, want.Types)
	if err != nil {
		return nil, err
	}
	claims, err := object(payload)
	if err != nil {
		return nil, err
	}
	j := &JWT{Claims: claims}
	j.Subject, _ = claims["sub"].(string)
	j.ID, _ = claims["jti"].(string)
	if iss, _ := claims["iss"].(string); iss != want.Issuer {
		return nil, errors.New("its iss is another one")
	}
	if !audience(claims["aud"], want) {
		return nil, errors.New("its aud is another one")
	}
	if j.Subject == "" || len(j.Subject) > 255 {
		return nil, errors.New("it has no sub, or a long one")
	}
	return j, j.checkTimes(want, now)
}

func verifySignature(compact string, keys *jose.JSONWebKeySet, types []string) ([]byte, error) {
	if len(compact) > MaxBytes {
		return nil, fmt.Errorf("it is longer than %d bytes", MaxBytes)
	}
	if strings.Count(compact, ".") != 2 || strings.ContainsFunc(compact, notCompact) {
		return nil, errors.New("it is not a JWT in compact form")
	}
	algorithms := make([]jose.SignatureAlgorithm, 0, len(token.Algorithms()))
	for _, alg := range token.Algorithms() {
		algorithms = append(algorithms, jose.SignatureAlgorithm(alg))
	}
	signed, err := jose.ParseSignedCompact(compact, algorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return nil, errors.New("it is not a JWT that is signed with an accepted algorithm")
	}
	if err := checkHeader(compact, types); err != nil {
		return nil, err
	}
	key, err := keyOf(keys, signed.Signatures[0].Protected)
	if err != nil {
		return nil, err
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return nil, errors.New("its signature is wrong")
	}
	return payload, nil
}

// checkHeader refuses what the library does not look at: extensions that must be understood (RFC 7515 section 4.1.11), and
// the typ of another kind of token (RFC 8725 section 3.11).
func checkHeader(compact string, types []string) error {
	encoded, _, _ := strings.Cut(compact, ".")
	text, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return errors.New("it is not a JWT in compact form")
	}
	var header struct {
		Critical json.RawMessage `json:"crit"`
		Unpacked json.RawMessage `json:"b64"`
		Type     *string         `json:"typ"`
	}
	if err := json.Unmarshal(text, &header); err != nil || header.Critical != nil || header.Unpacked != nil {
		return errors.New("its header asks for an extension, or does not parse")
	}
	if header.Type != nil && !slices.Contains(types, strings.TrimPrefix(strings.ToLower(*header.Type), "application/")) {
		return errors.New("its typ is that of another kind of token")
	}
	return nil
}

// notCompact tells whether a character has no place in a compact JWT (RFC 7515 section 7.1). JOSE libraries skip some.
func notCompact(r rune) bool {
	return r != '.' && r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// keyOf finds the one key that a header names: by its kid, or the only one there is.
func keyOf(keys *jose.JSONWebKeySet, header jose.Header) (*jose.JSONWebKey, error) {
	var found *jose.JSONWebKey
	for i := range keys.Keys {
		key := &keys.Keys[i]
		if key.KeyID != header.KeyID && (header.KeyID != "" || len(keys.Keys) > 1) {
			continue
		}
		if found != nil {
			return nil, errors.New("two keys have its kid")
		}
		found = key
	}
	if found == nil {
		return nil, ErrUnknownKey
	}
	if !found.IsPublic() || (found.Use != "" && found.Use != "sig") || (found.Algorithm != "" && found.Algorithm != header.Algorithm) {
		return nil, errors.New("its key is for something else")
	}
	return found, nil
}

// object decodes the claims. A member that is there twice is an error: some would read the first, and some the last.
func object(payload []byte) (map[string]any, error) {
	wrong := errors.New("its claims are not a JSON object")
	if !utf8.Valid(payload) {
		return nil, wrong
	}
	if err := unique(json.NewDecoder(bytes.NewReader(payload))); err != nil {
		return nil, err
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil || claims == nil {
		return nil, wrong
	}
	return claims, nil
}

// unique reads one JSON value and reports an object, at any depth, that has a member twice.
func unique(d *json.Decoder) error {
	seen := []map[string]bool{}
	atKey := false
	for {
		next, err := d.Token()
		if err != nil {
			return errors.New("its claims are not a JSON object")
		}
		switch v := next.(type) {
		case json.Delim:
			switch v {
			case '{':
				seen = append(seen, map[string]bool{})
			case '[':
				seen = append(seen, nil)
			default:
				seen = seen[:len(seen)-1]
			}
			atKey = len(seen) > 0 && seen[len(seen)-1] != nil
		case string:
			if atKey {
				if members := seen[len(seen)-1]; members[v] {
					return errors.New("a claim is there twice")
				}
				seen[len(seen)-1][v] = true
				atKey = false
				continue
			}
			atKey = len(seen) > 0 && seen[len(seen)-1] != nil
		default:
			atKey = len(seen) > 0 && seen[len(seen)-1] != nil
		}
		if len(seen) == 0 {
			return nil
		}
	}
}

// audience reads aud, a text or a list of them (RFC 7519 section 4.1.3).
func audience(aud any, want Expected) bool {
	list, ok := aud.([]any)
	if !ok {
		list = []any{aud}
	}
	if want.OnlyAudience && len(list) != 1 {
		return false
	}
	return want.Audience != "" && slices.Contains(list, any(want.Audience))
}

// checkTimes wants an exp, and allows for Skew.
func (j *JWT) checkTimes(want Expected, now time.Time) error {
	exp, ok := seconds(j.Claims["exp"])
	if !ok {
		return errors.New("it has no exp")
	}
	j.Expiry = exp
	if !now.Before(exp.Add(Skew)) {
		return errors.New("it has expired")
	}
	if want.MaxLifetime > 0 && exp.Sub(now) > want.MaxLifetime+Skew {
		return fmt.Errorf("it lives for longer than %v", want.MaxLifetime)
	}
	for _, claim := range []string{"nbf", "iat"} {
		value, present := j.Claims[claim]
		if at, ok := seconds(value); present && (!ok || now.Add(Skew).Before(at)) {
			return fmt.Errorf("its %s is in the future, or no time", claim)
		}
	}
	return nil
}

// seconds reads a NumericDate (RFC 7519 section 2).
func seconds(value any) (time.Time, bool) {
	number, ok := value.(float64)
	if !ok || number < 0 || number > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(number), 0), true
}
