package oauth2

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/session"
)

// resume verifies the DPoP proof, and opens the session of a refresh token.
func (e *Endpoint) resume(c *call, header http.Header) *Error {
	if refused := e.checkProof(c, header); refused != nil {
		return refused
	}
	return e.openSession(c)
}

// openSession opens the refresh token of a request (RFC 6749 section 6), and checks that it belongs to this client
// and key. The grant checks the user.
func (e *Endpoint) openSession(c *call) *Error {
	if c.grantType != config.RefreshToken {
		return nil
	}
	if c.request.refreshToken == "" {
		return invalidRequest("refresh_token is missing")
	}
	if c.key.MaxRefreshLifetime == 0 {
		return invalidSession("the SigningKey has no sessions")
	}
	s, err := session.Open(c.key.Sealing, c.request.refreshToken)
	now := e.now()
	switch {
	case errors.Is(err, session.ErrNewerKey):
		return Unavailable("the key of this session has not reached this issuer yet", 5)
	case err != nil:
		return invalidSession(err.Error())
	case s.ClientID != c.client.ID:
		return invalidSession("the refresh token was issued to another client")
	case !now.Before(s.Expiry), !now.Before(s.AuthenticatedAt.Add(c.maxSessionLifetime())): // Expiry is not after the end of the session
		return invalidSession("the refresh token or its session has expired")
	}
	switch bound := s.Thumbprint != ""; {
	case !bound && (c.client.Public || c.client.Refresh.DPoP):
		return invalidSession("the refresh token is not bound to a key, which the client now requires")
	case bound && c.proof == nil:
		return invalidProof("the refresh token is bound to a key: send a proof (RFC 9449 section 5)")
	case bound && c.proof.Thumbprint != s.Thumbprint:
		return invalidSession("the refresh token is bound to another key")
	}
	c.session = &s
	return nil
}

// maxSessionLifetime returns the current limit of the client and the SigningKey.
func (c *call) maxSessionLifetime() time.Duration {
	return min(time.Duration(c.client.Refresh.SessionLifetime), c.key.MaxSessionLifetime)
}

// invalidSession returns the same error for all invalid sessions: the user must log in again.
func invalidSession(reason string) *Error {
	r := badRequest("invalid_grant", "the refresh token is invalid, expired or revoked: log in again")
	r.reason = reason
	return r
}

// refreshGrant implements the refresh token grant. It looks the user up again, rejects a user that is deleted,
// disabled or has another password, and uses the current scopes and groups.
type refreshGrant struct {
	log       *slog.Logger
	directory login.Directory
}

func (g *refreshGrant) identify(ctx context.Context, c *call) (identity, *Error) {
	user, err := g.directory.Lookup(ctx, c.session.Username)
	var denied *login.Denied
	switch {
	case errors.As(err, &denied):
		return identity{subject: c.session.Subject}, invalidSession(denied.Reason)
	case err != nil && ctx.Err() != nil:
		return identity{}, Unavailable("the client disconnected before the response", 1)
	case err != nil:
		g.log.Error("A refresh failed with 503: the user cannot be looked up. The session stays valid", "error", err.Error())
		return identity{}, Unavailable("users cannot be looked up at the moment", 10)
	case user.Subject != c.session.Subject:
		return identity{subject: c.session.Subject}, invalidSession("the name now belongs to another user")
	case user.Credential != c.session.Credential:
		return identity{subject: c.session.Subject}, invalidSession("the password was changed")
	}
	if reason := c.reservedSubject(g.log, user.Subject); reason != "" {
		return identity{}, invalidSession(reason)
	}
	who := c.userIdentity(user, c.session.Username)
	who.authenticated = c.session.AuthenticatedAt
	return who, nil
}

// checkSessionRevoked rejects a session that a Revocation names.
func (c *call) checkSessionRevoked() *Error {
	if !c.key.Revoked.Ends(c.session.AuthenticatedAt, map[string]string{
		issuerfiles.ClaimSubject: c.session.Subject, issuerfiles.ClaimClientID: c.session.ClientID, issuerfiles.ClaimSessionID: c.session.ID,
	}) {
		return nil
	}
	return invalidSession("a Revocation ended the session")
}

// beginSession begins a session for a login that gets a refresh token.
func (e *Endpoint) beginSession(c *call) {
	if c.grantType != config.Password || c.key.MaxRefreshLifetime == 0 || !mayRefresh(c.client, c.proof) {
		return
	}
	now := e.now()
	c.session = &session.Session{
		ID: rand.Text(), Subject: c.identity.subject, Username: c.identity.username, ClientID: c.client.ID, Scopes: c.scopes, Audiences: c.audiences,
		AuthenticatedAt: now, End: now.Add(c.maxSessionLifetime()), Credential: c.identity.credential,
	}
	if c.proof != nil {
		c.session.Thumbprint = c.proof.Thumbprint
	}
	c.identity.authenticated = now
}

// refreshToken returns the next refresh token of the session, which expires at the end of the session at the latest.
// It returns "" without a session, or if the token would be too long.
func (e *Endpoint) refreshToken(c *call) string {
	if c.session == nil {
		return ""
	}
	key, ok := c.key.Sealing.InUse()
	if !ok {
		return ""
	}
	next := *c.session
	next.Expiry = e.now().Add(min(time.Duration(c.client.Refresh.Lifetime), c.key.MaxRefreshLifetime))
	if next.Expiry.After(next.End) {
		next.Expiry = next.End
	}
	sealed, err := session.Seal(key, next)
	if err != nil {
		e.log.Error("A refresh token cannot be created: the access token is issued without one", "client", c.client.ID, "subject", c.session.Subject, "error", err.Error())
	}
	return sealed
}

// limitToSession returns the values that were granted to the session.
func (c *call) limitToSession(allowed []string, granted func(*session.Session) []string) []string {
	if c.session == nil {
		return allowed
	}
	return slices.DeleteFunc(slices.Clone(allowed), func(one string) bool { return !slices.Contains(granted(c.session), one) })
}
