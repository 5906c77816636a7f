package oauth2

import (
	"context"

	"github.com/keywright/keywright/issuer/token"
)

// clientCredentialsGrant gives a client a token for itself (RFC 6749 section 4.4). To have authenticated is all that it takes.
type clientCredentialsGrant struct{}

func (clientCredentialsGrant) identify(_ context.Context, c *call) (identity, *Refusal) {
	return identity{subject: token.ClientPrefix + c.client.ID}, nil
}
