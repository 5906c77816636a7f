package oauth2

import (
	"slices"

	"github.com/keywright/keywright/issuer/session"
)

// narrowScope leaves the scopes that are asked for (RFC 6749 section 3.3). Each must be one that client and user may have. OpenID clients
// always ask for openid. It is ignored, since there is no ID token, unless client and user have it as a scope.
func (c *call) narrowScope() *Refusal {
	c.scopes = c.within(c.client.Scopes, func(s *session.Session) []string { return s.Scopes })
	if only := c.identity.scopes; only != nil {
		c.scopes = slices.DeleteFunc(slices.Clone(c.scopes), func(scope string) bool { return !slices.Contains(only, scope) })
	}
	wanted := slices.DeleteFunc(c.request.scopes, func(scope string) bool { return scope == "openid" && !slices.Contains(c.scopes, scope) })
	for _, scope := range wanted {
		if !slices.Contains(c.scopes, scope) {
			return badRequest("invalid_scope", "a requested scope is not allowed for this client or user")
		}
	}
	if len(wanted) > 0 {
		c.scopes = slices.Compact(slices.Sorted(slices.Values(wanted)))
	}
	return nil
}
