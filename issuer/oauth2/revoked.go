package oauth2

import (
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/issuer/config"
)

// checkRevoked rejects the exchange of a revoked token. Up to the clockSkew after a Revocation, services cannot
// distinguish a new token from a revoked one, so it asks the client to try again later.
func (c *call) checkRevoked(now time.Time) *Error {
	list := c.key.Revoked
	if len(list.Ended) == 0 && list.AllBefore.IsZero() {
		return nil
	}
	if c.grantType == config.RefreshToken {
		return c.checkSessionRevoked()
	}
	claims := map[string]string{issuerfiles.ClaimSubject: c.identity.subject, issuerfiles.ClaimClientID: c.client.ID}
	if c.identity.exchanged {
		if list.Ends(c.identity.authenticated, claims) {
			return refuseSubject("the subject token was issued before a Revocation ended the tokens of its subject or client")
		}
		return nil
	}
	until := list.EndsUntil(claims)
	if until.IsZero() || now.After(until) {
		return nil
	}
	return Unavailable("tokens were revoked a moment ago: try again after the time in Retry-After", int(until.Sub(now)/time.Second)+1)
}
