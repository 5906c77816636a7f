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

// subjectToken is what a token exchange is about (RFC 8693 section 2.1).
type subjectToken struct {
	token, kind, requested string
	// actor and actorType are of a delegation, which there is not.
	actor, actorType string
}

func (t *subjectToken) check() *Refusal {
	switch {
	case t.token == "" || t.kind == "":
		return invalidRequest("subject_token and subject_token_type are needed")
	case !slices.Contains([]string{typeJWT, typeAccessToken, typeIDToken}, t.kind):
		return invalidRequest("the subject_token_type must be that of a JWT, an access token or an ID token")
	case t.requested != "" && t.requested != typeAccessToken && t.requested != typeJWT:
		return invalidRequest("only access tokens are issued")
	case t.actor != "":
		return invalidRequest("there is no delegation: leave out the actor_token")
	case t.actorType != "":
		return invalidRequest("an actor_token_type without an actor_token")
	}
	return nil
}

// tokenExchangeGrant trades a token of a trusted issuer for one of ours (RFC 8693), which never outlives it. What is wrong with the
// subject token is invalid_request (section 2.2.2).
type tokenExchangeGrant struct {
	now func() time.Time
	// trusted has the keys of the trusted issuers, by name.
	trusted map[string]*jwtverify.KeySet
}

func (g *tokenExchangeGrant) identify(ctx context.Context, c *call) (identity, *Refusal) {
	if refused := c.request.subject.check(); refused != nil {
		return identity{}, refused
	}
	unverified, err := jwtverify.Parse(c.request.subject.token)
	if err != nil {
		return identity{}, refuseSubject("the subject token is refused: " + err.Error())
	}
	issuer, ok := c.settings.Trusted(c.client, unverified.Issuer())
	if !ok {
		return identity{}, refuseSubject("the subject token is of an issuer that this client may not use")
	}
	subject, err := g.trusted[issuer.Name].Verify(ctx, unverified, jwtverify.Expected{
		Issuer: issuer.Issuer, Audience: issuer.Audience, Types: []string{"jwt", "at+jwt"},
	}, askerOf(c.client, c.remote), g.now())
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

// askerOf is whose budget an unknown key is looked for on: a client that has proved who it is, or anybody in a network.
func askerOf(client *config.Client, remote netip.Addr) jwtverify.Asker {
	if client.Public {
		return jwtverify.Asker{Name: client.ID + " " + ratelimit.NetworkOf(remote).String()}
	}
	return jwtverify.Asker{Name: client.ID, Known: true}
}

func refuseSubject(reason string) *Refusal {
	return &Refusal{status: http.StatusBadRequest, Code: "invalid_request", description: "the subject token is not accepted", reason: reason}
}
