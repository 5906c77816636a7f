package server

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/token"
)

// grant is what a request is about to get.
type grant struct {
	client  config.Client
	subject string
	scopes  []string
	claims  map[string]any
}

// issued is a successful answer (RFC 6749 section 5.1).
type issued struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope,omitempty"`
}

// token is the token endpoint (RFC 6749 section 3.2).
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	began := s.now()
	line := audit{grant: "other", remote: r.RemoteAddr}
	answer, refused := s.answer(w, r, &line)
	if refused != nil {
		line.result = refused.code
		refused.write(w)
	} else {
		line.result = "issued"
		writeJSON(w, http.StatusOK, answer)
	}
	s.metrics.answered(line.grant, line.result, s.now().Sub(began))
	line.log(r, s.log)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, line *audit) (*issued, *refusal) {
	req, refused := readRequest(w, r)
	if refused != nil {
		return nil, refused
	}
	if req.grant != config.Password && req.grant != config.ClientCredentials {
		return nil, badRequest("unsupported_grant_type", "the grant types are password and client_credentials")
	}
	line.grant = req.grant
	settings, _ := s.config.Get()
	client, refused := authenticate(settings, req)
	if refused != nil {
		return nil, refused
	}
	line.client = client.ID
	if !slices.Contains(client.GrantTypes, req.grant) {
		return nil, badRequest("unauthorized_client", "this client may not use this grant type")
	}
	key, ok := s.keys.Get()
	if !ok || key.Draining() {
		return nil, unavailable("there is no key to sign with", 30)
	}
	g, refused := s.grant(r, req, client)
	if refused != nil {
		return nil, refused
	}
	return s.sign(settings, key, g, line)
}

// authenticate returns the client, once it has proved who it is. An unknown client costs what a known one does.
func authenticate(settings *config.Config, req *tokenRequest) (config.Client, *refusal) {
	client, known := settings.Client(req.clientID)
	if known && client.Public {
		if req.hasSecret {
			return client, invalidClient()
		}
		return client, nil
	}
	want, err := hex.DecodeString(client.SecretSHA256)
	if err != nil || len(want) != sha256.Size {
		want = make([]byte, sha256.Size)
	}
	got := sha256.Sum256([]byte(req.secret))
	if subtle.ConstantTimeCompare(got[:], want) != 1 || !known || !req.hasSecret {
		return client, invalidClient()
	}
	return client, nil
}

// grant decides who the token is for and what it allows.
func (s *Server) grant(r *http.Request, req *tokenRequest, client config.Client) (*grant, *refusal) {
	g := &grant{client: client, subject: token.ClientPrefix + client.ID, scopes: client.Scopes}
	if req.grant == config.Password {
		user, refused := s.logIn(r, req)
		if refused != nil {
			return nil, refused
		}
		g.subject, g.claims = user.Subject, user.Claims
		if user.Scopes != nil {
			g.scopes = slices.DeleteFunc(slices.Clone(g.scopes), func(scope string) bool { return !slices.Contains(user.Scopes, scope) })
		}
	}
	for _, scope := range req.scopes {
		if !slices.Contains(g.scopes, scope) {
			return nil, badRequest("invalid_scope", "a scope is not allowed to this client and user")
		}
	}
	if len(req.scopes) > 0 {
		g.scopes = slices.Compact(slices.Sorted(slices.Values(req.scopes)))
	}
	return g, nil
}

func (s *Server) logIn(r *http.Request, req *tokenRequest) (*login.User, *refusal) {
	if login.TooLong(req.username, req.password) {
		return nil, invalidRequest("username or password is too long")
	}
	users, ok := s.users.Get()
	if !ok {
		return nil, unavailable("the users cannot be read", 30)
	}
	user, err := s.passwords.Check(r.Context(), users, req.username, req.password)
	switch {
	case errors.Is(err, login.ErrBusy):
		return nil, unavailable("too many logins at once", 1)
	case err != nil:
		return nil, badRequest("invalid_grant", "the user name or the password is wrong")
	}
	return user, nil
}

// sign makes the token with one snapshot of the key. It never lives longer than the key's policy allows.
func (s *Server) sign(settings *config.Config, key *keys.Snapshot, g *grant, line *audit) (*issued, *refusal) {
	claims := token.Claims{
		Issuer: settings.Issuer, Subject: g.subject, Audience: g.client.Audiences, ClientID: g.client.ID, Scopes: g.scopes,
		ID: rand.Text(), IssuedAt: s.now(), Lifetime: min(time.Duration(settings.Token.Lifetime), key.MaxLifetime), Extra: g.claims,
	}
	payload, err := claims.Marshal()
	if err == nil {
		var compact string
		if compact, err = key.Sign(payload); err == nil {
			line.subject, line.id, line.kid = g.subject, claims.ID, key.KeyID
			return &issued{
				AccessToken: compact, TokenType: "Bearer", ExpiresIn: int64(claims.Lifetime / time.Second), Scope: strings.Join(g.scopes, " "),
			}, nil
		}
	}
	s.log.Error("A token could not be made", "client", g.client.ID, "error", err.Error())
	return nil, &refusal{status: http.StatusInternalServerError, code: "server_error", description: "the token could not be made"}
}

// audit is what is logged of one request: nothing that a person may have typed by mistake.
type audit struct {
	grant, client, result, remote string
	subject, id, kid              string
}

func (a *audit) log(r *http.Request, log *slog.Logger) {
	attributes := []slog.Attr{
		slog.String("grant", a.grant), slog.String("client", a.client), slog.String("result", a.result), slog.String("remote", a.remote),
	}
	if a.id != "" {
		attributes = append(attributes, slog.String("subject", a.subject), slog.String("jti", a.id), slog.String("kid", a.kid))
	}
	log.LogAttrs(r.Context(), slog.LevelInfo, "Token request", attributes...)
}
