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

// latestDate is the end of the year 9999, in seconds since 1970. Adding a clock skew to a date up to it does not
// overflow.
const latestDate = 253402300799

// anyJWT is the Config.Type with which tokens may omit typ (RFC 7519 section 5.1).
const anyJWT = "jwt"

// policy holds the validated requirements of a Config for tokens.
type policy struct {
	audience  string
	mediaType string        // in lower case, without the prefix application/
	skew      time.Duration // for nbf and iat
	expSkew   time.Duration // for exp
	// challenges is passed to each Token, for RequireScope.
	challenges *challenges
}

// validate returns the Token of a verified payload if its typ and claims satisfy the policy at the time now.
func (p policy) validate(verified signed, issuers []string, now time.Time) (*Token, error) {
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
		return nil, fmt.Errorf("%w: its aud does not contain %q", ErrWrongAudience, p.audience)
	}
	if err := p.checkTimes(token, now); err != nil {
		return nil, err
	}
	return token, nil
}

// checkTimes validates exp, nbf and iat (RFC 7519 section 4.1) with the clock skew. A missing claim has the zero time
// and passes.
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

// parseClaims parses a claims set (RFC 7519 section 4) and validates each claim that Token has a method for. It
// requires iss, sub, aud and exp; iat, nbf, jti, client_id, scope and cnf are optional.
func parseClaims(payload string) (*Token, error) {
	var buffer [24]strictjson.Member
	claims, err := strictjson.Parse(payload, buffer[:0])
	if err != nil {
		return nil, fmt.Errorf("%w: its claims are not a valid JSON object, or have duplicate members", ErrMalformed)
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

// read sets the fields of the Token from its claims, and returns an error if a required claim is missing.
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
			t.issuer, ok = parseName(claim.Value)
		case "sub":
			t.subject, ok = parseName(claim.Value)
		case "jti":
			t.id, ok = parseName(claim.Value)
		case "sid": // a sid of another type matches no revocation list entry
			t.sessionID, _ = strictjson.Text(claim.Value)
		case "auth_time": // some issuers write a string; only a revocation list needs the time
			var readable bool
			t.authenticatedAt, readable = parseNumericDate(claim.Value)
			t.unreadableTime = !readable
		case "client_id":
			t.clientID, ok = parseName(claim.Value)
		case "aud":
			t.audience, ok = parseAudience(claim.Value)
		case "scope":
			t.scopes, ok = parseScopes(claim.Value)
		case "exp":
			t.expiry, ok = parseNumericDate(claim.Value)
		case "iat":
			t.issuedAt, ok = parseNumericDate(claim.Value)
		case "cnf":
			t.bound, ok = parseConfirmation(claim.Value)
		case "nbf":
			t.notBefore, ok = parseNumericDate(claim.Value)
		}
		if !ok {
			return fmt.Errorf("%w: its %s has the wrong type or format", ErrMalformed, claim.Name)
		}
	}
	return nil
}

// parseName returns a non-empty string without control characters, so that it can be logged.
func parseName(value string) (string, bool) {
	text, _ := strictjson.Text(value)
	return text, text != "" && !strings.ContainsFunc(text, unicode.IsControl)
}

// parseAudience parses aud (RFC 7519 section 4.1.3), a string or a list of strings.
func parseAudience(value string) ([]string, bool) {
	if text, ok := strictjson.Text(value); ok {
		return []string{text}, true
	}
	return parseStrings(value)
}

// parseStrings parses a list of strings.
func parseStrings(value string) (texts []string, ok bool) {
	elements, ok := strictjson.List(value)
	for i, element := range elements {
		if elements[i], ok = strictjson.Text(element); !ok {
			return nil, false
		}
	}
	return elements, ok
}

// parseScopes parses scope, a list of scope-tokens separated by spaces (RFC 6749 section 3.3). It rejects other white
// space.
func parseScopes(value string) ([]string, bool) {
	scope, ok := strictjson.Text(value)
	if !ok || strings.ContainsFunc(scope, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return nil, false
	}
	return strings.Fields(scope), true
}

// parseNumericDate parses a NumericDate (RFC 7519 section 2). It accepts only integers, because parsers round
// fractions and exponents differently.
func parseNumericDate(value string) (time.Time, bool) {
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil || seconds < 0 || seconds > latestDate {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0), true
}
