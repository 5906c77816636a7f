package jws

import (
	"strings"
	"unicode"

	jose "github.com/go-jose/go-jose/v4"
)

// KeyTypeOf returns the kty and crv for alg (RFC 7518 section 6, RFC 8037 section 2), or "" for an unsupported
// algorithm. RSA keys have no crv. RSASSA-PSS is not supported, because go-jose accepts any salt length.
func KeyTypeOf(alg jose.SignatureAlgorithm) (kty, crv string) {
	switch alg {
	case jose.ES256:
		return "EC", "P-256"
	case jose.ES384:
		return "EC", "P-384"
	case jose.ES512:
		return "EC", "P-521"
	case jose.EdDSA:
		return "OKP", "Ed25519"
	case jose.RS256, jose.RS384, jose.RS512:
		return "RSA", ""
	default:
		return "", ""
	}
}

// MediaType returns a typ in lower case and without the prefix application/ (RFC 7515 section 4.1.9), or "" if it is
// not ASCII. The check comes first, because some non-ASCII letters are ASCII in lower case.
func MediaType(typ string) string {
	if strings.ContainsFunc(typ, func(r rune) bool { return r <= ' ' || r > unicode.MaxASCII }) {
		return ""
	}
	short := strings.TrimPrefix(strings.ToLower(typ), "application/")
	if strings.Contains(short, "/") {
		return ""
	}
	return short
}
