package oauth2

import (
	"net/url"
	"slices"

	"github.com/keywright/keywright/issuer/session"
)

// narrowAudience sets the requested audiences (RFC 8707 section 2). Each must be an audience of the client.
func (c *call) narrowAudience() *Error {
	c.audiences = c.limitToSession(c.client.Audiences, func(s *session.Session) []string { return s.Audiences })
	if len(c.audiences) == 0 && c.session != nil {
		return invalidSession("the client is no longer allowed any audience of the session")
	}
	wanted := slices.Concat(c.request.resources, c.request.audiences)
	if len(wanted) == 0 {
		return nil
	}
	for _, resource := range c.request.resources {
		if !isResource(resource) {
			return badRequest("invalid_target", "resource must be an absolute URI without a fragment (RFC 8707 section 2)")
		}
	}
	for _, audience := range wanted {
		if !slices.Contains(c.audiences, audience) {
			return badRequest("invalid_target", "a requested resource or audience is not allowed for this client")
		}
	}
	c.audiences = slices.Compact(slices.Sorted(slices.Values(wanted)))
	return nil
}

// isResource reports whether a text is a resource indicator: an absolute URI without a fragment (RFC 8707 section 2).
func isResource(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.IsAbs() && u.Fragment == "" && len(text) <= 512
}

// chooseEncryptionKey sets the key of the client, or of the only audience.
func (c *call) chooseEncryptionKey() *Error {
	for _, audience := range c.audiences {
		c.encryptionKey = c.settings.EncryptionKey(c.client, audience)
		if c.encryptionKey != nil && c.client.EncryptionKey == nil && len(c.audiences) > 1 {
			return badRequest("invalid_target", "request one resource: a token for an audience with an encryption key cannot have other audiences")
		}
	}
	return nil
}
