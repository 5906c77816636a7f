package verifier

import "github.com/keywright/keywright/verifier/internal/strictjson"

// confirmation is cnf (RFC 7800 section 3): what the sender of a token must show that it holds. A token without one is a bearer
// token.
type confirmation struct {
	key         string // jkt (RFC 9449 section 6.1): the thumbprint of a public key, "" if the token is bound to none
	certificate string // x5t#S256 (RFC 8705 section 3.1): the SHA-256 of a certificate, likewise
	unknown     bool   // there is another member, or none
}

// confirmationOf reads cnf. A member that is not known is kept in mind and not ignored: to what it binds the token nobody here can
// check.
func confirmationOf(value string) (*confirmation, bool) {
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
			c.key, ok = digestOf(member.Value)
		case "x5t#S256":
			c.certificate, ok = digestOf(member.Value)
		default:
			c.unknown = true
		}
		if !ok {
			return nil, false
		}
	}
	return c, true
}

// digestOf reads the base64url text of a SHA-256. One that is none equals none.
func digestOf(value string) (string, bool) {
	text, _ := strictjson.Text(value)
	return text, len(text) == 43
}
