package oauth2

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/jwtverify"
	"github.com/keywright/keywright/issuer/ratelimit"
)

// The token types (RFC 8693 section 3).
const (
	typePrefix      = "urn:ietf:params:oauth:token-type:"
	typeAccessToken = typePrefix + "access_token"
	typeIDToken     = typePrefix + "id_token"
	typeJWT         = typePrefix + "jwt"
)

// subjectToken contains the parameters of a token exchange (RFC 8693 section 2.1).
type subjectToken struct {
	token, kind, requested string
	// actor and actorType are for delegation, which is not supported.
	actor, actorType string
}

func (t *subjectToken) check() *Error {
	switch {
	case t.token == "" || t.kind == "":
		return invalidRequest("subject_token and subject_token_type are required")
	case !slices.Contains([]string{typeJWT, typeAccessToken, typeIDToken}, t.kind):
		return invalidRequest("subject_token_type must be the type of a JWT, an access token or an ID token")
	case t.requested != "" && t.requested != typeAccessToken && t.requested != typeJWT:
		return invalidRequest("requested_token_type must be the type of an access token or a JWT")
	case t.actor != "":
		return invalidRequest("delegation is not supported: leave out actor_token")
	case t.actorType != "":
		return invalidRequest("actor_token_type is not allowed without actor_token")
	}
	return nil
}

// tokenExchangeGrant exchanges a token of a trusted issuer (RFC 8693) for one that expires no later. An invalid
// subject token is an invalid_request (section 2.2.2).
type tokenExchangeGrant struct {
	now func() time.Time
	// trusted contains the keys of the trusted issuers, by name.
	trusted map[string]*jwtverify.KeySet
}

func (g *tokenExchangeGrant) identify(ctx context.Context, c *call) (identity, *Error) {
	if refused := c.request.subject.check(); refused != nil {
		return identity{}, refused
	}
	unverified, err := jwtverify.Parse(c.request.subject.token)
	if err != nil {
		return identity{}, refuseSubject("the subject token is refused: " + err.Error())
	}
	issuer, ok := c.settings.TrustedIssuerFor(c.client, unverified.Issuer())
	if !ok {
		return identity{}, refuseSubject("this client may not exchange tokens of that issuer")
	}
	subject, err := g.trusted[issuer.Name].Verify(ctx, unverified, jwtverify.Expected{
		Issuer: issuer.Issuer, Audience: issuer.Audience, Types: []string{"jwt", "at+jwt"},
	}, requesterOf(c.client, c.remote), g.now())
	if errors.Is(err, jwtverify.ErrKeysUnavailable) {
		return identity{}, Unavailable("the keys of the subject token's issuer cannot be read", 10)
	}
	if err != nil {
		return identity{}, refuseSubject("the subject token is refused: " + err.Error())
	}
	mapped, err := issuer.Map(subject.Claims)
	if err != nil {
		return identity{}, refuseSubject(err.Error())
	}
	return identity{
		subject: mapped.Subject, claims: mapped.Claims, notAfter: subject.Expiry, issuedType: typeAccessToken,
		exchanged: true, authenticated: subject.Authenticated,
	}, nil
}

// requesterOf returns the requester whose budget is used for an unknown key: an authenticated client, or the network.
func requesterOf(client *config.Client, remote netip.Addr) jwtverify.Requester {
	if client.Public {
		return jwtverify.Requester{Name: client.ID + " " + ratelimit.NetworkOf(remote).String()}
	}
	return jwtverify.Requester{Name: client.ID, Authenticated: true}
}

func refuseSubject(reason string) *Error {
	return &Error{status: http.StatusBadRequest, Code: "invalid_request", description: "the subject token is not accepted", reason: reason}
}
