package oauth2

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/issuer/token"
)

// grant is what a request is about to get.
type grant struct {
	client    *config.Client
	subject   string
	audiences []string
	scopes    []string
	claims    map[string]any
	lifetime  time.Duration
	// notAfter is when the token must have expired, which is when the one did that it is exchanged for. Zero for others.
	notAfter time.Time
	// reader is the key that the token is encrypted for, nil if it is not.
	reader *jose.JSONWebKey
}

// issued is a successful answer (RFC 6749 section 5.1).
type issued struct {
	AccessToken string `json:"access_token"`
	// IssuedType is there after an exchange (RFC 8693 section 2.2.1).
	IssuedType string `json:"issued_token_type,omitempty"`
	TokenType  string `json:"token_type"`
	ExpiresIn  int64  `json:"expires_in"`
	Scope      string `json:"scope,omitempty"`
}

// ServeHTTP is the token endpoint (RFC 6749 section 3.2). What it answers is in the audit log before anybody has it.
func (s *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := s.Now()
	settings, _ := s.Config()
	e := event{Time: began, Level: "INFO", Message: "Token request", Grant: OtherGrant, Remote: s.Remote(r, &settings.Server)}
	answer, refused := s.answer(w, r, settings, &e)
	if refused != nil {
		e.Result, e.Reason = refused.Code, refused.why()
	} else {
		e.Result = IssuedResult
	}
	s.Answered(e.Grant, e.Result, s.Now().Sub(began))
	s.audit.write(r.Context(), &e)
	if refused != nil {
		refused.Write(w)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Endpoint) answer(w http.ResponseWriter, r *http.Request, settings *config.Config, e *event) (*issued, *Refusal) {
	req, refused := s.read(w, r, e.Remote)
	if refused != nil {
		return nil, refused
	}
	if !slices.Contains(config.Grants(), req.grant) {
		return nil, badRequest("unsupported_grant_type", "the grant types are "+strings.Join(settings.GrantTypes(), ", "))
	}
	e.Grant = req.grant
	leave, refused := s.admit(req.grant, e.Remote)
	if refused != nil {
		return nil, refused
	}
	defer leave()
	if client, ok := settings.Client(req.clientID); ok {
		e.Client = client.ID // also when it is not the one it says
	}
	client, refused := s.authenticate(settings, req, e.Remote)
	if refused != nil {
		return nil, refused
	}
	if !slices.Contains(client.GrantTypes, req.grant) {
		return nil, badRequest("unauthorized_client", "this client may not use this grant type")
	}
	key, ok := s.Keys()
	if !ok || !key.Signs() {
		return nil, Unavailable("there is no key to sign with", 30)
	}
	g := &grant{
		client: client, subject: token.ClientPrefix + client.ID, scopes: client.Scopes,
		lifetime: min(time.Duration(settings.Token.Lifetime), key.MaxLifetime),
	}
	if refused := g.narrowAudience(req); refused != nil {
		return nil, refused
	}
	if refused := g.encryptFor(settings); refused != nil {
		return nil, refused
	}
	if refused := s.identify(r.Context(), settings, req, g, e); refused != nil {
		return nil, refused
	}
	if refused := g.narrowScope(req); refused != nil {
		return nil, refused
	}
	answer, refused := s.sign(settings, key, g, e)
	if refused == nil && req.grant == config.Exchange {
		answer.IssuedType = typeAccessToken
	}
	return answer, refused
}

// identify decides who the token is about.
func (s *Endpoint) identify(ctx context.Context, settings *config.Config, req *tokenRequest, g *grant, e *event) *Refusal {
	switch req.grant {
	case config.Password:
		return s.logIn(ctx, settings, req, g, e)
	case config.Exchange:
		return s.exchange(ctx, settings, req, g, e)
	}
	return nil // client_credentials: the client itself
}

// narrowAudience leaves the audiences that are asked for (RFC 8707 section 2). Each must be one of the client's.
func (g *grant) narrowAudience(req *tokenRequest) *Refusal {
	g.audiences = g.client.Audiences
	wanted := slices.Concat(req.resources, req.audiences)
	if len(wanted) == 0 {
		return nil
	}
	for _, resource := range req.resources {
		if !isResource(resource) {
			return badRequest("invalid_target", "a resource is an absolute URI without a fragment (RFC 8707 section 2)")
		}
	}
	for _, audience := range wanted {
		if !slices.Contains(g.client.Audiences, audience) {
			return badRequest("invalid_target", "a resource or an audience is not allowed to this client")
		}
	}
	g.audiences = slices.Compact(slices.Sorted(slices.Values(wanted)))
	return nil
}

// encryptFor finds the key of the client, or of the one audience that can read the token.
func (g *grant) encryptFor(settings *config.Config) *Refusal {
	for _, audience := range g.audiences {
		g.reader = settings.EncryptionKey(g.client, audience)
		if g.reader != nil && g.client.EncryptionKey == nil && len(g.audiences) > 1 {
			return badRequest("invalid_target", "name one resource: tokens for one of these are encrypted for it alone")
		}
	}
	return nil
}

// narrowScope leaves the scopes that are asked for (RFC 6749 section 3.3). Each must be one that client and user may have. OpenID clients
// always ask for openid: it is ignored, since there is no ID token, unless it is a scope of the client.
func (g *grant) narrowScope(req *tokenRequest) *Refusal {
	req.scopes = slices.DeleteFunc(req.scopes, func(scope string) bool { return scope == "openid" && !slices.Contains(g.scopes, scope) })
	for _, scope := range req.scopes {
		if !slices.Contains(g.scopes, scope) {
			return badRequest("invalid_scope", "a scope is not allowed to this client and user")
		}
	}
	if len(req.scopes) > 0 {
		g.scopes = slices.Compact(slices.Sorted(slices.Values(req.scopes)))
	}
	return nil
}

// sign makes the token with one snapshot of the key. It never lives longer than the key's policy allows.
func (s *Endpoint) sign(settings *config.Config, key *keys.Snapshot, g *grant, e *event) (*issued, *Refusal) {
	claims := token.Claims{
		Issuer: settings.Issuer, Subject: g.subject, Audience: g.audiences, ClientID: g.client.ID, Scopes: g.scopes,
		ID: rand.Text(), IssuedAt: s.Now(), Lifetime: g.lifetime, Extra: g.claims,
	}
	if !g.notAfter.IsZero() {
		claims.Lifetime = min(claims.Lifetime, g.notAfter.Sub(claims.IssuedAt))
		if claims.Lifetime < time.Second {
			return nil, refuseSubject("the subject token has expired") // to verify it allowed for other clocks
		}
	}
	compact, err := signed(key, &claims, g.reader)
	var tooLarge *token.TooLargeError
	switch {
	case errors.As(err, &tooLarge):
		s.Log.Error("A token would be too large", "client", g.client.ID, "subject", g.subject, "error", err.Error())
		return nil, ServerError(tooLarge.Error(), "")
	case err != nil:
		s.Log.Error("A token could not be made", "client", g.client.ID, "subject", g.subject, "error", err.Error())
		return nil, ServerError("the token could not be made", "")
	}
	e.Subject, e.ID, e.KeyID = g.subject, claims.ID, key.KeyID
	return &issued{
		AccessToken: compact, TokenType: "Bearer", ExpiresIn: int64(claims.Lifetime / time.Second), Scope: strings.Join(g.scopes, " "),
	}, nil
}

// signed returns the token, encrypted if a reader is named.
func signed(key *keys.Snapshot, claims *token.Claims, reader *jose.JSONWebKey) (string, error) {
	payload, err := claims.Marshal()
	if err != nil {
		return "", err
	}
	compact, err := key.Sign(payload)
	if err == nil && reader != nil {
		compact, err = token.Encrypt(compact, reader)
	}
	if err != nil {
		return "", err
	}
	return compact, claims.Fits(len(compact))
}
