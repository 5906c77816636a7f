package oauth2

import (
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/keywright/keywright/issuer/token"
)

// issued is a token that was made: its claims, its compact form, and of what type it is after an exchange.
type issued struct {
	claims     token.Claims
	compact    string
	issuedType string
	// refreshToken is empty where there is none.
	refreshToken string
}

// response is a successful answer (RFC 6749 section 5.1).
type response struct {
	AccessToken string `json:"access_token"`
	// IssuedType is there after an exchange (RFC 8693 section 2.2.1).
	IssuedType string `json:"issued_token_type,omitempty"`
	TokenType  string `json:"token_type"`
	// ExpiresIn is in seconds.
	ExpiresIn int64  `json:"expires_in"`
	Scope     string `json:"scope,omitempty"`
	// RefreshToken is there with a session (RFC 6749 section 5.1).
	RefreshToken string `json:"refresh_token,omitempty"`
}

func (i *issued) response() *response {
	kind := "Bearer"
	if i.claims.Thumbprint != "" {
		kind = "DPoP" // RFC 9449 section 5
	}
	return &response{
		RefreshToken: i.refreshToken, AccessToken: i.compact, IssuedType: i.issuedType, TokenType: kind, ExpiresIn: int64(i.claims.Lifetime / time.Second),
		Scope: strings.Join(i.claims.Scopes, " "),
	}
}

// issue makes the token (RFC 9068). It never lives longer than the policy of the key allows, nor than the token that it is exchanged for.
func (e *Endpoint) issue(c *call) (*issued, *Refusal) {
	claims := token.Claims{
		Issuer: c.settings.Issuer, Subject: c.identity.subject, Audience: c.audiences,
		ClientID: c.client.ID, Scopes: c.scopes, ID: rand.Text(), IssuedAt: e.now(),
		Lifetime: min(time.Duration(c.settings.Token.Lifetime), c.key.MaxLifetime), Extra: c.identity.claims,
		AuthenticatedAt: c.identity.authenticated, Thumbprint: c.boundTo(), CertificateThumbprint: c.certificateBoundTo(),
	}
	if c.session != nil {
		claims.SessionID = c.session.ID
	}
	if notAfter := c.identity.notAfter; !notAfter.IsZero() {
		claims.Lifetime = min(claims.Lifetime, notAfter.Sub(claims.IssuedAt))
		if claims.Lifetime < time.Second {
			return nil, refuseSubject("the subject token has expired") // to verify it allowed for other clocks
		}
	}
	compact, err := c.sign(&claims)
	var tooLarge *token.TooLargeError
	switch {
	case errors.As(err, &tooLarge):
		e.log.Error("A token request is answered with 500: its token is too large", "client", claims.ClientID, "subject", claims.Subject, "error", err.Error())
		return nil, ServerError(tooLarge.Error(), "")
	case err != nil:
		e.log.Error("A token request is answered with 500: its token cannot be made", "client", claims.ClientID, "subject", claims.Subject, "error", err.Error())
		return nil, ServerError("the token could not be made", "")
	}
	return &issued{claims: claims, compact: compact, issuedType: c.identity.issuedType, refreshToken: e.refreshToken(c)}, nil
}

// sign returns the token in compact form, encrypted if there is a reader. It must fit the headers of servers either way.
func (c *call) sign(claims *token.Claims) (string, error) {
	payload, err := claims.Marshal()
	if err != nil {
		return "", err
	}
	compact, err := c.key.Sign(payload)
	if err == nil && c.reader != nil {
		compact, err = token.Encrypt(compact, c.reader)
	}
	if err != nil {
		return "", err
	}
	return compact, claims.CheckSize(len(compact))
}
