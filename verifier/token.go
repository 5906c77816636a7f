package verifier

import (
	"fmt"
	"slices"
	"time"

	"github.com/keywright/keywright/verifier/internal/strictjson"
)

// Token is a verified token. It is immutable and may be shared by goroutines: its methods return copies.
type Token struct {
	payload   string // the other strings are substrings of it
	keyID     string
	issuer    string
	subject   string
	clientID  string
	id        string
	sessionID string
	audience  []string
	scopes    []string
	expiry    time.Time
	issuedAt  time.Time
	notBefore time.Time
	// authenticatedAt is auth_time, or zero. unreadableTime is set if auth_time could not be parsed.
	authenticatedAt time.Time
	unreadableTime  bool
	bound           *confirmation // nil for a bearer token
	challenges      *challenges   // of the Verifier, for RequireScope
}

// Subject returns sub. It is never empty.
func (t *Token) Subject() string { return t.subject }

// ClientID returns client_id (RFC 9068 section 2.2), the client that the token was issued to, or "".
func (t *Token) ClientID() string { return t.clientID }

// Issuer returns iss, one of Config.Issuers.
func (t *Token) Issuer() string { return t.issuer }

// Audience returns aud, which contains Config.Audience.
func (t *Token) Audience() []string { return slices.Clone(t.audience) }

// Scopes returns the values of scope (RFC 8693 section 4.2), in their order.
func (t *Token) Scopes() []string { return slices.Clone(t.scopes) }

// HasScope reports whether scope contains exactly this value.
func (t *Token) HasScope(scope string) bool { return slices.Contains(t.scopes, scope) }

// List returns a claim that is a list of strings, such as groups or permissions, in its order. It returns nil if the
// claim is missing or of any other type, also if it is a single string.
func (t *Token) List(claim string) []string {
	claims, _ := strictjson.Parse(t.payload, nil)
	texts, _ := parseStrings(claims.Find(claim))
	return texts
}

// ID returns jti, or "".
func (t *Token) ID() string { return t.id }

// SessionID returns sid, the session that the token belongs to, or "".
func (t *Token) SessionID() string { return t.sessionID }

// AuthenticatedAt returns auth_time (RFC 9068 section 2.2.1), when the subject logged in, to the second. It returns
// the zero time if there is none: the subject then logged in when the token was issued.
func (t *Token) AuthenticatedAt() time.Time { return t.authenticatedAt }

// Bound reports whether the token is bound to a key or a certificate of its sender (cnf, RFC 7800), which was
// verified. A bearer token is not.
func (t *Token) Bound() bool { return t.bound != nil }

// KeyID returns the kid of the key that signed the token.
func (t *Token) KeyID() string { return t.keyID }

// Expiry returns exp, to the second.
func (t *Token) Expiry() time.Time { return t.expiry }

// IssuedAt returns iat, to the second; the zero time if there is none.
func (t *Token) IssuedAt() time.Time { return t.issuedAt }

// NotBefore returns nbf, to the second; the zero time if there is none.
func (t *Token) NotBefore() time.Time { return t.notBefore }

// Claims decodes all claims into v, a pointer, like encoding/json, except that member names match struct fields only
// in their exact case. Numbers decoded into an any are json.Number. The claims are valid UTF-8 without duplicate
// members.
func (t *Token) Claims(v any) error {
	if err := decodeExactly(t.payload, v); err != nil {
		return fmt.Errorf("claims do not fit %T: %w", v, err)
	}
	return nil
}

// Payload returns the claims as the issuer has signed them, a JSON object (RFC 7519 section 3). For an encrypted
// token these are the claims of the inner token. It returns a copy, because the Token may be cached and shared.
func (t *Token) Payload() []byte { return []byte(t.payload) }
