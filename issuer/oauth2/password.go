package oauth2

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/login"
)

// logIn is the password grant (RFC 6749 section 4.3).
func (s *Endpoint) logIn(ctx context.Context, settings *config.Config, req *tokenRequest, g *grant, e *event) *Refusal {
	if login.TooLong(req.username, req.password) {
		return invalidRequest("username or password is too long")
	}
	if wait := s.failures.Wait(s.Now(), req.username, e.Remote); wait > 0 {
		return tooManyFailures(wait)
	}
	user, err := s.Directory.Authenticate(ctx, req.username, req.password)
	var denied *login.Denied
	switch {
	case errors.As(err, &denied):
		s.failures.Failed(s.Now(), req.username, e.Remote)
		e.Subject = denied.Subject
		return invalidGrant("the user name or the password is wrong", denied.Reason)
	case err != nil && ctx.Err() != nil: // it has taken our time all the same
		s.failures.Failed(s.Now(), req.username, e.Remote)
		return Unavailable("the client went away before the answer", 1)
	case errors.Is(err, login.ErrBusy):
		return Unavailable("too many logins at once", 1)
	case err != nil:
		s.Log.Error("The directory could not be asked about a login", "error", err.Error())
		return Unavailable("the users cannot be asked for now", 30)
	}
	if name := settings.Foreign(user.Subject); name != "" {
		s.Log.Error("A user has a subject that only exchanged tokens may have", "subject", user.Subject, "tokenExchange", name)
		return invalidGrant("the user name or the password is wrong", "its subject is one of tokenExchange "+name)
	}
	g.subject, g.claims = user.Subject, mapped(user.Attributes, g.client.Claims)
	if user.Scopes != nil {
		g.scopes = slices.DeleteFunc(slices.Clone(g.scopes), func(scope string) bool { return !slices.Contains(user.Scopes, scope) })
	}
	e.Subject = user.Subject
	return nil
}

// mapped makes claims of attributes. A client that names no claims gets them all.
func mapped(attributes map[string]any, claims config.Claims) map[string]any {
	if claims == nil {
		return withLists(attributes)
	}
	out := make(map[string]any, len(claims))
	for claim, attribute := range claims {
		if value, ok := attributes[attribute]; ok {
			out[claim] = value
		}
	}
	return withLists(out)
}

// withLists makes lists of groups and permissions also where there is one: services that look into a list would refuse a text.
func withLists(claims map[string]any) map[string]any {
	copied := false
	for _, name := range []string{"groups", "permissions"} {
		one, ok := claims[name].(string)
		if !ok {
			continue
		}
		if !copied { // nobody may change what a directory gave
			claims, copied = maps.Clone(claims), true
		}
		claims[name] = []any{one}
	}
	return claims
}

// isResource tells whether a text is a resource indicator: an absolute URI without a fragment (RFC 8707 section 2).
func isResource(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.IsAbs() && u.Fragment == "" && len(text) <= 512
}
