package oauth2

import (
	"context"

	"github.com/keywright/keywright/issuer/token"
)

// clientCredentialsGrant issues a token for the authenticated client itself (RFC 6749 section 4.4).
type clientCredentialsGrant struct{}

func (clientCredentialsGrant) identify(_ context.Context, c *call) (identity, *Error) {
	return identity{subject: token.ClientPrefix + c.client.ID}, nil
}
