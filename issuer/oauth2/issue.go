package oauth2

import (
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/keywright/keywright/issuer/token"
)

// issued is an issued token: its claims, its compact serialization, and its type after an exchange.
type issued struct {
	claims     token.Claims
	compact    string
	issuedType string
	// refreshToken is the refresh token, or "".
	refreshToken string
}

// response is a successful response (RFC 6749 section 5.1).
type response struct {
	AccessToken string `json:"access_token"`
	// IssuedType is set after an exchange (RFC 8693 section 2.2.1).
	IssuedType string `json:"issued_token_type,omitempty"`
	TokenType  string `json:"token_type"`
	// ExpiresIn is in seconds.
	ExpiresIn int64  `json:"expires_in"`
	Scope     string `json:"scope,omitempty"`
	// RefreshToken is set if there is a session (RFC 6749 section 5.1).
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

// issue issues the token (RFC 9068). Its lifetime is limited by the policy of the signing key and by the exchanged
// token.
func (e *Endpoint) issue(c *call) (*issued, *Error) {
	claims := token.Claims{
		Issuer: c.settings.Issuer, Subject: c.identity.subject, Audience: c.audiences,
		ClientID: c.client.ID, Scopes: c.scopes, ID: rand.Text(), IssuedAt: e.now(),
		Lifetime: min(time.Duration(c.settings.Token.Lifetime), c.key.MaxLifetime), Extra: c.identity.claims,
		AuthenticatedAt: c.identity.authenticated, Thumbprint: c.dpopThumbprint(), CertificateThumbprint: c.certificateThumbprint(),
	}
	if c.session != nil {
		claims.SessionID = c.session.ID
	}
	if notAfter := c.identity.notAfter; !notAfter.IsZero() {
		claims.Lifetime = min(claims.Lifetime, notAfter.Sub(claims.IssuedAt))
		if claims.Lifetime < time.Second {
			return nil, refuseSubject("the subject token has expired") // verification allowed for clock skew
		}
	}
	compact, err := c.sign(&claims)
	var tooLarge *token.TooLargeError
	switch {
	case errors.As(err, &tooLarge):
		e.log.Error("A token request failed with 500: the token would be too large", "client", claims.ClientID, "subject", claims.Subject, "error", err.Error())
		return nil, ServerError(tooLarge.Error(), "")
	case err != nil:
		e.log.Error("A token request failed with 500: the token cannot be created", "client", claims.ClientID, "subject", claims.Subject, "error", err.Error())
		return nil, ServerError("the token could not be created", "")
	}
	return &issued{claims: claims, compact: compact, issuedType: c.identity.issuedType, refreshToken: e.refreshToken(c)}, nil
}

// sign returns the signed and possibly encrypted token. Its length must not exceed the header limits of servers.
func (c *call) sign(claims *token.Claims) (string, error) {
	payload, err := claims.Marshal()
	if err != nil {
		return "", err
	}
	compact, err := c.key.Sign(payload)
	if err == nil && c.encryptionKey != nil {
		compact, err = token.Encrypt(compact, c.encryptionKey)
	}
	if err != nil {
		return "", err
	}
	return compact, claims.CheckSize(len(compact))
}
