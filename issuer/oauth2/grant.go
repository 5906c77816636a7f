package oauth2

import (
	"context"
	"time"
)

// grant is a grant type (RFC 6749 section 1.3). It determines only the subject: shared steps authenticate the client
// before, and limit the token after.
type grant interface {
	identify(ctx context.Context, c *call) (identity, *Error)
}

// identity is the subject of a token.
type identity struct {
	// subject is the sub of the token.
	subject string
	claims  map[string]any
	// username is the name for lookups, and credential a value that changes with the password. Both are empty unless
	// the subject is a user.
	username, credential string
	// scopes, if not nil, limits the scopes of the client.
	scopes []string
	// exchanged is true for an identity from another token.
	exchanged bool
	// authenticated is when the subject logged in, zero if that is now or not known.
	authenticated time.Time
	// notAfter is the latest expiry of the token, zero if only the policy limits it.
	notAfter time.Time
	// issuedType is the issued_token_type (RFC 8693 section 2.2.1), or "" for other grants.
	issuedType string
}
