package token

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"
)

// ClientPrefix is the prefix of the sub of a token that a client requested for itself, so that it cannot equal that
// of a user (RFC 9700 section 4.15).
const ClientPrefix = "client:"

// MaxBytes is the maximum length of a token in compact serialization: a longer one exceeds the header limits of some
// servers.
const MaxBytes = 4 << 10

// Claims are the claims of a token.
type Claims struct {
	Issuer   string
	Subject  string
	Audience []string
	ClientID string
	Scopes   []string
	// ID is jti, which is unique.
	ID string
	// IssuedAt is iat. There is no nbf, because several libraries allow no clock skew and would reject a new token.
	// The lifetime is truncated to seconds.
	IssuedAt time.Time
	Lifetime time.Duration
	// AuthenticatedAt is auth_time (RFC 9068 section 2.2.1), zero if it is IssuedAt or not known. A revocation of a
	// subject's tokens compares this time.
	AuthenticatedAt time.Time
	// SessionID is sid, or "" (OpenID Connect Front-Channel Logout 1.0 section 3).
	SessionID string
	// Thumbprint is that of the key that the token is bound to, cnf.jkt (RFC 9449 section 6.1), or "" for a bearer
	// token.
	Thumbprint string
	// CertificateThumbprint is that of the certificate that the token is bound to, cnf.x5t#S256 (RFC 8705 section
	// 3.1), or "".
	CertificateThumbprint string
	// Extra are the claims of the user. Reserved ones are omitted.
	Extra map[string]any
}

// registered are the claims of RFC 9068 section 2.2. aud is always an array.
type registered struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience []string `json:"aud"`
	ClientID string   `json:"client_id"`
	Expiry   int64    `json:"exp"`
	IssuedAt int64    `json:"iat"`
	ID       string   `json:"jti"`
	AuthTime int64    `json:"auth_time,omitempty"`
	Scope    string   `json:"scope,omitempty"`

	SessionID    string        `json:"sid,omitempty"`
	Confirmation *confirmation `json:"cnf,omitempty"`
}

// confirmation is the cnf claim (RFC 7800 section 3).
type confirmation struct {
	Thumbprint            string `json:"jkt,omitempty"`
	CertificateThumbprint string `json:"x5t#S256,omitempty"`
}

// Marshal returns the claims as JSON. It returns an error for a forbidden claim.
func (c *Claims) Marshal() ([]byte, error) {
	issued := c.IssuedAt.Unix()
	var authenticated int64
	if !c.AuthenticatedAt.IsZero() {
		authenticated = c.AuthenticatedAt.Unix()
	}
	var bound *confirmation
	if c.Thumbprint != "" || c.CertificateThumbprint != "" {
		bound = &confirmation{Thumbprint: c.Thumbprint, CertificateThumbprint: c.CertificateThumbprint}
	}
	own, err := json.Marshal(registered{
		Issuer: c.Issuer, Subject: c.Subject, Audience: c.Audience, ClientID: c.ClientID, ID: c.ID, Scope: strings.Join(c.Scopes, " "),
		IssuedAt: issued, AuthTime: authenticated, Expiry: issued + int64(c.Lifetime/time.Second),
		SessionID: c.SessionID, Confirmation: bound,
	})
	if err != nil {
		return nil, fmt.Errorf("encode the claims: %w", err)
	}
	if len(c.Extra) == 0 {
		return own, nil
	}
	if TooDeep(c.Extra) {
		return nil, fmt.Errorf("the claims are nested deeper than %d levels: no verifier would accept the token", MaxDepth)
	}
	if name, ok := FindForbidden(c.Extra); ok {
		return nil, fmt.Errorf("the claim %q looks like a secret, by its name: a token must not contain it", name)
	}
	extra := maps.Clone(c.Extra)
	maps.DeleteFunc(extra, func(claim string, _ any) bool { return Reserved(claim) })
	if len(extra) == 0 {
		return own, nil
	}
	more, err := json.Marshal(extra)
	if err != nil {
		return nil, fmt.Errorf("encode the claims: %w", err)
	}
	own[len(own)-1] = ','
	return append(own, more[1:]...), nil
}

// TooLargeError is returned if a token would be longer than MaxBytes.
type TooLargeError struct {
	// Bytes is the length of the token, and Claim the largest claim.
	Bytes int
	Claim string
	// ClaimBytes is the length of that claim as JSON.
	ClaimBytes int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the token would have %d bytes, more than %d: the largest claim is %s, with %d", e.Bytes, MaxBytes, e.Claim, e.ClaimBytes)
}

// CheckSize returns a *TooLargeError if a token of this length is too large.
func (c *Claims) CheckSize(bytes int) error {
	if bytes <= MaxBytes {
		return nil
	}
	e := &TooLargeError{Bytes: bytes}
	sizes := maps.Clone(c.Extra)
	if sizes == nil {
		sizes = map[string]any{}
	}
	sizes["aud"], sizes["scope"], sizes["sub"] = c.Audience, strings.Join(c.Scopes, " "), c.Subject
	for claim, value := range sizes {
		if b, err := json.Marshal(value); err == nil && (len(b) > e.ClaimBytes || (len(b) == e.ClaimBytes && claim < e.Claim)) {
			e.Claim, e.ClaimBytes = claim, len(b)
		}
	}
	return e
}
