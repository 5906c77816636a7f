package oauth2

import (
	"context"
	"time"
)

// grant is a grant type (RFC 6749 section 1.3). It decides who a token is about, and nothing else: the client has authenticated before,
// and what the token may say is narrowed by the steps that all grant types share.
type grant interface {
	identify(ctx context.Context, c *call) (identity, *Refusal)
}

// identity is who a token is about.
type identity struct {
	// subject is the sub of the token.
	subject string
	claims  map[string]any
	// username is what a user is looked up by, and credential changes when the password does. Both are empty for other subjects.
	username, credential string
	// scopes, if not nil, are the only ones of the client's that the user can have.
	scopes []string
	// exchanged is set for an identity that comes from another token.
	exchanged bool
	// authenticated is when its subject logged in, zero if that is now, or if the other token does not say.
	authenticated time.Time
	// notAfter is when the token must have expired, zero if nothing but the policy says so.
	notAfter time.Time
	// issuedType is the issued_token_type (RFC 8693 section 2.2.1), empty for other grants.
	issuedType string
}
