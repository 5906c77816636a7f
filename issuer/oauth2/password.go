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

// passwordGrant logs a user in (RFC 6749 section 4.3). Failed logins are limited: for a name in a network, and in a network.
type passwordGrant struct {
	now       func() time.Time
	log       *slog.Logger
	directory login.Directory
	failures  *ratelimit.Failures
}

func (g *passwordGrant) identify(ctx context.Context, c *call) (identity, *Refusal) {
	user, refused := g.logIn(ctx, c.request.username, c.request.password, c.remote)
	if refused != nil {
		return identity{}, refused
	}
	if reason := c.foreignSubject(g.log, user.Subject); reason != "" {
		return identity{}, wrongPassword(reason, "")
	}
	return c.identityOf(user, c.request.username), nil
}

// identityOf is that of a user, who is looked up by a name.
func (c *call) identityOf(user *login.User, name string) identity {
	return identity{
		subject: user.Subject, username: name, credential: user.Credential, claims: mapped(user.Attributes, c.client.Claims), scopes: user.Scopes,
	}
}

// foreignSubject says why a user may not have a subject that only exchanged tokens may have, empty if the user may.
func (c *call) foreignSubject(log *slog.Logger, subject string) string {
	name := c.settings.Foreign(subject)
	if name == "" {
		return ""
	}
	log.Error("A user has a subject that only exchanged tokens may have", "subject", subject, "tokenExchange", name)
	return "its subject is one of tokenExchange " + name
}

// logIn asks the directory. A login that the client breaks off counts as failed: it has taken our time all the same.
func (g *passwordGrant) logIn(ctx context.Context, name, password string, remote netip.Addr) (*login.User, *Refusal) {
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
		return nil, Unavailable("the client went away before the answer", 1)
	case errors.Is(err, login.ErrBusy):
		return nil, Unavailable("too many logins at once", 1)
	case err != nil:
		g.log.Error("A login is answered with 503: its password cannot be checked. Other grants go on", "error", err.Error())
		return nil, Unavailable("logins with a password are temporarily unavailable", 30)
	}
	return user, nil
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
