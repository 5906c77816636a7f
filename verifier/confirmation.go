package verifier

import "github.com/keywright/keywright/verifier/internal/strictjson"

// confirmation holds the cnf claim (RFC 7800 section 3), which binds a token to a key or certificate of its sender. A
// bearer token has none.
type confirmation struct {
	key         string // jkt (RFC 9449 section 6.1): the thumbprint of a public key, or ""
	certificate string // x5t#S256 (RFC 8705 section 3.1): the SHA-256 digest of a certificate, or ""
	unknown     bool   // cnf has an unsupported member, or none
}

// parseConfirmation parses cnf. It records unsupported members instead of ignoring them, because such a binding
// cannot be verified and the token must be rejected.
func parseConfirmation(value string) (*confirmation, bool) {
	var few [4]strictjson.Member
	members, err := strictjson.Parse(value, few[:0])
	if err != nil {
		return nil, false
	}
	c := &confirmation{unknown: len(members) == 0}
	for _, member := range members {
		ok := true
		switch member.Name {
		case "jkt":
			c.key, ok = parseDigest(member.Value)
		case "x5t#S256":
			c.certificate, ok = parseDigest(member.Value)
		default:
			c.unknown = true
		}
		if !ok {
			return nil, false
		}
	}
	return c, true
}

// parseDigest parses the base64url encoding of a SHA-256 digest. Text of another form matches no digest.
func parseDigest(value string) (string, bool) {
	text, _ := strictjson.Text(value)
	return text, len(text) == 43
}
