package verifier

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/keywright/keywright/verifier/internal/jws"
	"github.com/keywright/keywright/verifier/internal/strictjson"
)

// latestDate is the end of the year 9999 in seconds since 1970. No honest token names a later moment, and up to it no
// addition of a clock skew overflows.
const latestDate = 253402300799

// anyJWT is the type of tokens that may say nothing of their type (RFC 7519 section 5.1).
const anyJWT = "jwt"

// policy is what a Verifier asks of every token: a Config that was checked.
type policy struct {
	audience  string
	mediaType string        // in lower case, without application/
	skew      time.Duration // of nbf and iat
	expSkew   time.Duration // of exp
	// challenges are for requests whose token does not allow them.
	challenges *challenges
}

// accept makes a Token of what a key of these issuers has signed, if its type and claims are what the policy asks at the
// moment now.
func (p policy) accept(verified signed, issuers []string, now time.Time) (*Token, error) {
	if jws.MediaType(verified.typ) != p.mediaType && (p.mediaType != anyJWT || verified.typ != "") {
		return nil, fmt.Errorf("%w: its typ is not %s", ErrWrongType, p.mediaType)
	}
	token, err := parseClaims(verified.payload)
	if err != nil {
		return nil, err
	}
	token.keyID, token.challenges = verified.kid, p.challenges
	if !slices.Contains(issuers, token.issuer) {
		return nil, fmt.Errorf("%w: its iss is not among %q", ErrWrongIssuer, issuers)
	}
	if !slices.Contains(token.audience, p.audience) {
		return nil, fmt.Errorf("%w: its aud does not name %q", ErrWrongAudience, p.audience)
	}
	if err := p.checkTimes(token, now); err != nil {
		return nil, err
	}
	return token, nil
}

// checkTimes applies exp, nbf and iat (RFC 7519 section 4.1), each with the clock skew in favour of the token. The zero
// time of a claim that is not there is never in the future.
func (p policy) checkTimes(token *Token, now time.Time) error {
	if !now.Before(token.expiry.Add(p.expSkew)) {
		return fmt.Errorf("%w: its exp has passed", ErrExpired)
	}
	latest := now.Add(p.skew)
	if token.notBefore.After(latest) {
		return fmt.Errorf("%w: its nbf is in the future", ErrNotYetValid)
	}
	if token.issuedAt.After(latest) {
		return fmt.Errorf("%w: its iat is in the future", ErrNotYetValid)
	}
	return nil
}

// parseClaims reads the claims set (RFC 7519 section 4) and checks the form of all that Token has a method for: the
// required iss, sub, aud and exp, and if they are there iat, nbf, jti, client_id, scope and cnf.
func parseClaims(payload string) (*Token, error) {
	var buffer [24]strictjson.Member
	claims, err := strictjson.Parse(payload, buffer[:0])
	if err != nil {
		return nil, fmt.Errorf("%w: its claims are not a strict JSON object", ErrMalformed)
	}
	token := &Token{payload: payload}
	if err := token.read(claims); err != nil {
		return nil, err
	}
	if !token.expiry.After(token.issuedAt) {
		return nil, fmt.Errorf("%w: its exp is not after its iat", ErrMalformed)
	}
	return token, nil
}

// read takes each claim that it knows, and sees to it that the required ones are there.
func (t *Token) read(claims strictjson.Object) error {
	for _, name := range [...]string{"iss", "sub", "aud", "exp"} {
		if !claims.Has(name) {
			return fmt.Errorf("%w: its %s is missing", ErrMalformed, name)
		}
	}
	for _, claim := range claims {
		ok := true
		switch claim.Name {
		case "iss":
			t.issuer, ok = nameOf(claim.Value)
		case "sub":
			t.subject, ok = nameOf(claim.Value)
		case "jti":
			t.id, ok = nameOf(claim.Value)
		case "sid": // of another form it names no session that a list could
			t.sessionID, _ = strictjson.Text(claim.Value)
		case "auth_time": // some issuers write a text; it matters to a revocation list alone
			var readable bool
			t.authenticatedAt, readable = dateOf(claim.Value)
			t.unreadableTime = !readable
		case "client_id":
			t.clientID, ok = nameOf(claim.Value)
		case "aud":
			t.audience, ok = audienceOf(claim.Value)
		case "scope":
			t.scopes, ok = scopesOf(claim.Value)
		case "exp":
			t.expiry, ok = dateOf(claim.Value)
		case "iat":
			t.issuedAt, ok = dateOf(claim.Value)
		case "cnf":
			t.bound, ok = confirmationOf(claim.Value)
		case "nbf":
			t.notBefore, ok = dateOf(claim.Value)
		}
		if !ok {
			return fmt.Errorf("%w: its %s is not of the form that it must have", ErrMalformed, claim.Name)
		}
	}
	return nil
}

// nameOf reads a string that is not empty and has no control characters, which would end up in logs.
func nameOf(value string) (string, bool) {
	text, _ := strictjson.Text(value)
	return text, text != "" && !strings.ContainsFunc(text, unicode.IsControl)
}

// audienceOf reads aud (RFC 7519 section 4.1.3), a string or a list of strings.
func audienceOf(value string) ([]string, bool) {
	if text, ok := strictjson.Text(value); ok {
		return []string{text}, true
	}
	return textsOf(value)
}

// textsOf returns a value that is a list of strings.
func textsOf(value string) (texts []string, ok bool) {
	elements, ok := strictjson.List(value)
	for i, element := range elements {
		if elements[i], ok = strictjson.Text(element); !ok {
			return nil, false
		}
	}
	return elements, ok
}

// scopesOf reads scope, which must be scope-tokens and spaces (RFC 6749 section 3.3): other white space is refused and
// not taken for a separator that the issuer did not mean.
func scopesOf(value string) ([]string, bool) {
	scope, ok := strictjson.Text(value)
	if !ok || strings.ContainsFunc(scope, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return nil, false
	}
	return strings.Fields(scope), true
}

// dateOf reads a NumericDate (RFC 7519 section 2), which must be an integer: fractions and exponents are allowed there,
// but readers round them in different ways.
func dateOf(value string) (time.Time, bool) {
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil || seconds < 0 || seconds > latestDate {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0), true
}
