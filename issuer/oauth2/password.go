package oauth2

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"time"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/ratelimit"
)

// passwordGrant implements the password grant (RFC 6749 section 4.3). Failed logins are limited per name and network,
// and per network.
type passwordGrant struct {
	now       func() time.Time
	log       *slog.Logger
	directory login.Directory
	failures  *ratelimit.Failures
}

func (g *passwordGrant) identify(ctx context.Context, c *call) (identity, *Error) {
	user, refused := g.logIn(ctx, c.request.username, c.request.password, c.remote)
	if refused != nil {
		return identity{}, refused
	}
	if reason := c.reservedSubject(g.log, user.Subject); reason != "" {
		return identity{}, wrongPassword(reason, "")
	}
	return c.userIdentity(user, c.request.username), nil
}

// userIdentity returns the identity of a user with this name.
func (c *call) userIdentity(user *login.User, name string) identity {
	return identity{
		subject: user.Subject, username: name, credential: user.Credential, claims: mapClaims(user.Attributes, c.client.Claims), scopes: user.Scopes,
	}
}

// reservedSubject returns an error text if a user's subject is reserved for exchanged tokens, or "".
func (c *call) reservedSubject(log *slog.Logger, subject string) string {
	name := c.settings.SubjectIssuer(subject)
	if name == "" {
		return ""
	}
	log.Error("The subject of a user is reserved for exchanged tokens: the request is refused", "subject", subject, "tokenExchange", name)
	return "the subject of the user is reserved for tokenExchange " + name
}

// logIn authenticates a user. A login that the client cancels counts as failed.
func (g *passwordGrant) logIn(ctx context.Context, name, password string, remote netip.Addr) (*login.User, *Error) {
	if login.TooLong(name, password) {
		return nil, invalidRequest("username or password is too long")
	}
	if wait := g.failures.Wait(g.now(), name, remote); wait > 0 {
		return nil, tooManyFailures(wait)
	}
	user, err := g.directory.Authenticate(ctx, name, password)
	var denied *login.Denied
	switch {
	case errors.As(err, &denied):
		g.failures.Record(g.now(), name, remote)
		return nil, wrongPassword(denied.Reason, denied.Subject)
	case err != nil && ctx.Err() != nil:
		g.failures.Record(g.now(), name, remote)
		return nil, Unavailable("the client disconnected before the response", 1)
	case errors.Is(err, login.ErrBusy):
		return nil, Unavailable("too many logins at once", 1)
	case err != nil:
		g.log.Error("A login failed with 503: the password cannot be checked. Other grant types still work", "error", err.Error())
		return nil, Unavailable("logins with a password are temporarily unavailable", 30)
	}
	return user, nil
}

// mapClaims returns the claims for the attributes of a user: all of them, if the client configures no claims.
func mapClaims(attributes map[string]any, claims config.Claims) map[string]any {
	if claims == nil {
		return ensureLists(attributes)
	}
	out := make(map[string]any, len(claims))
	for claim, attribute := range claims {
		if value, ok := attributes[attribute]; ok {
			out[claim] = value
		}
	}
	return ensureLists(out)
}

// ensureLists converts single values of groups and permissions to lists, because services expect lists.
func ensureLists(claims map[string]any) map[string]any {
	copied := false
	for _, name := range []string{"groups", "permissions"} {
		one, ok := claims[name].(string)
		if !ok {
			continue
		}
		if !copied { // the map of the directory must not be modified
			claims, copied = maps.Clone(claims), true
		}
		claims[name] = []any{one}
	}
	return claims
}
