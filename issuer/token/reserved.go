package token

import (
	"slices"
	"strings"
	"unicode"
)

// Reserved reports whether a claim is the issuer's own (RFC 7519, RFC 9068, RFC 8693, RFC 7800), in whatever case: Go's
// encoding/json, among others, takes SUB for sub.
func Reserved(claim string) bool {
	for _, own := range [...]string{
		"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "scope", "cnf", "act", "may_act", "typ", "azp", "nonce", "sid", "auth_time",
	} {
		if strings.EqualFold(own, claim) {
			return true
		}
	}
	return false
}

// NeverLeaves reports whether a name is that of something which must not be in a token, since whoever has a token can read
// it: password, secret, hash and the like, however they are spelt and whatever stands around them.
func NeverLeaves(name string) bool {
	plain := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == '.' || r == ' ' {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r)) // upper case first: U+017F is a small s
	}, name)
	return slices.ContainsFunc(forbidden(), func(part string) bool { return strings.Contains(plain, part) })
}

func forbidden() []string {
	return []string{"password", "passwd", "passphrase", "secret", "hash", "credential", "privatekey", "apikey", "pwd", "totp", "otpseed"}
}

// Hidden returns the name of a claim that must never leave, if there is one at any depth of what encoding/json would read
// into an any.
func Hidden(value any) (string, bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			if NeverLeaves(name) {
				return name, true
			}
			if name, ok := Hidden(inner); ok {
				return name, true
			}
		}
	case []any:
		for _, inner := range v {
			if name, ok := Hidden(inner); ok {
				return name, true
			}
		}
	}
	return "", false
}
