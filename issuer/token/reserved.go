package token

import (
	"slices"
	"strings"
	"unicode"
)

// Reserved reports whether only the issuer may set a claim (RFC 7519, RFC 9068, RFC 8693, RFC 7800). It ignores case,
// because encoding/json, among others, decodes SUB as sub.
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

// Forbidden reports whether a name contains password, secret, hash or the like, in any spelling. Such values must not
// be in a token, whose claims are readable.
func Forbidden(name string) bool {
	plain := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == '.' || r == ' ' {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r)) // upper case first: U+017F is a lower-case s
	}, name)
	return slices.ContainsFunc(forbiddenWords(), func(part string) bool { return strings.Contains(plain, part) })
}

func forbiddenWords() []string {
	return []string{"password", "passwd", "passphrase", "secret", "hash", "credential", "privatekey", "apikey", "pwd", "totp", "otpseed"}
}

// FindForbidden returns the name of a forbidden claim at any depth of a value that encoding/json decoded into an any.
func FindForbidden(value any) (string, bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			if Forbidden(name) {
				return name, true
			}
			if name, ok := FindForbidden(inner); ok {
				return name, true
			}
		}
	case []any:
		for _, inner := range v {
			if name, ok := FindForbidden(inner); ok {
				return name, true
			}
		}
	}
	return "", false
}
