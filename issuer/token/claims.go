package token

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"
)

// ClientPrefix begins the sub of a token that a client got for itself, so that it is never that of a user (RFC 9700
// section 4.15).
const ClientPrefix = "client:"

// MaxBytes bounds the claims of a token: what is longer does not fit the headers that some servers accept.
const MaxBytes = 4 << 10

// Reserved tells whether a claim is the issuer's own (RFC 7519, RFC 9068, RFC 8693, RFC 7800).
func Reserved(claim string) bool {
	switch claim {
	case "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "scope", "cnf", "act", "may_act", "typ", "azp", "nonce", "sid":
		return true
	}
	return false
}

// Claims are what a token says.
type Claims struct {
	Issuer   string
	Subject  string
	Audience []string
	ClientID string
	Scopes   []string
	// ID is the jti, unique.
	ID string
	// IssuedAt is iat and nbf. The lifetime is cut to whole seconds.
	IssuedAt time.Time
	Lifetime time.Duration
	// Extra are the claims of the user. Reserved ones are left out.
	Extra map[string]any
}

// Marshal returns the claims as JSON, of at most MaxBytes. aud is always an array.
func (c *Claims) Marshal() ([]byte, error) {
	all := make(map[string]any, len(c.Extra)+9)
	maps.Copy(all, c.Extra)
	maps.DeleteFunc(all, func(claim string, _ any) bool { return Reserved(claim) })
	all["iss"], all["sub"], all["aud"] = c.Issuer, c.Subject, c.Audience
	all["client_id"], all["jti"] = c.ClientID, c.ID
	issued := c.IssuedAt.Unix()
	all["iat"], all["nbf"], all["exp"] = issued, issued, issued+int64(c.Lifetime/time.Second)
	if len(c.Scopes) > 0 {
		all["scope"] = strings.Join(c.Scopes, " ")
	}
	b, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("encode the claims: %w", err)
	}
	if len(b) > MaxBytes {
		name, size := largest(c.Extra)
		return nil, fmt.Errorf("the claims take %d bytes, more than %d: the largest is %q with %d", len(b), MaxBytes, name, size)
	}
	return b, nil
}

func largest(claims map[string]any) (name string, size int) {
	for claim, value := range claims {
		if b, err := json.Marshal(value); err == nil && len(b) > size {
			name, size = claim, len(b)
		}
	}
	return name, size
}
