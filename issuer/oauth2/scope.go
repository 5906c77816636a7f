package oauth2

import (
	"slices"

	"github.com/keywright/keywright/issuer/session"
)

// narrowScope sets the requested scopes (RFC 6749 section 3.3). Each must be allowed for client and user. The scope
// openid, which OpenID clients always request, is ignored unless it is allowed, since there is no ID token.
func (c *call) narrowScope() *Error {
	c.scopes = c.limitToSession(c.client.Scopes, func(s *session.Session) []string { return s.Scopes })
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
