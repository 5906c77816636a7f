package token

import (
	"slices"
	"strings"
)

// Reserved tells whether a claim is the issuer's own (RFC 7519, RFC 9068, RFC 8693, RFC 7800).
func Reserved(claim string) bool {
	switch claim {
	case "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "scope", "cnf", "act", "may_act", "typ", "azp", "nonce", "sid":
		return true
	}
	return false
}

// NeverLeaves tells whether a name is that of something which must not be in a token, since whoever has a token can read
// it: password, secret, hash and the like, however they are spelt and whatever stands around them.
func NeverLeaves(name string) bool {
	plain := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == '.' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(name))
	return slices.ContainsFunc(forbidden(), func(part string) bool { return strings.Contains(plain, part) })
}

func forbidden() []string {
	return []string{"password", "passwd", "passphrase", "secret", "hash", "credential", "privatekey", "apikey", "unicodepwd", "totp", "otpseed"}
}

// hidden returns the name of a claim, at any depth, that must never leave.
func hidden(value any) (string, bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			if NeverLeaves(name) {
				return name, true
			}
			if name, ok := hidden(inner); ok {
				return name, true
			}
		}
	case []any:
		for _, inner := range v {
			if name, ok := hidden(inner); ok {
				return name, true
			}
		}
	}
	return "", false
}

// Hidden returns the name of a claim, at any depth, that must never leave, if there is one.
func Hidden(claims map[string]any) (string, bool) { return hidden(claims) }
