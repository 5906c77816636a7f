package verifier

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-jose/go-jose/v4/json"
)

// latestDate is the end of the year 9999 in seconds since 1970. No honest token names a later moment, and up to it no
// addition of a clock skew overflows.
const latestDate = 253402300799

// policy is what a Verifier asks of every token: a Config that was checked.
type policy struct {
	issuer    string
	audience  string
	mediaType string // in lower case, without application/
	skew      time.Duration
	maxBytes  int
}

// accept makes a Token of what a key of the set has signed, if its type and claims are what the policy asks at the
// moment now.
func (p policy) accept(verified *signed, now time.Time) (*Token, error) {
	if !isMediaType(verified.typ, p.mediaType) {
		return nil, fmt.Errorf("%w: its typ is not %s", ErrWrongType, p.mediaType)
	}
	token, err := parseClaims(verified.payload)
	if err != nil {
		return nil, err
	}
	token.keyID = verified.kid
	if token.issuer != p.issuer {
		return nil, fmt.Errorf("%w: its iss is not %q", ErrWrongIssuer, p.issuer)
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
	if !now.Before(token.expiry.Add(p.skew)) {
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

// isMediaType compares a typ with a media type in lower case without its application/, as RFC 7515 section 4.1.9 says:
// case does not count, and application/ may be left out. Letters outside ASCII never match, whatever they fold to.
func isMediaType(typ, want string) bool {
	if strings.ContainsFunc(typ, func(r rune) bool { return r > unicode.MaxASCII }) {
		return false
	}
	return strings.TrimPrefix(strings.ToLower(typ), "application/") == want
}

// parseClaims reads the claims set (RFC 7519 section 4) and checks the form of all that Token has a method for: the
// required iss, sub, aud and exp, and if they are there iat, nbf, jti, client_id and scope.
func parseClaims(payload []byte) (*Token, error) {
	claims, err := decodeObject(payload)
	if err != nil {
		return nil, fmt.Errorf("%w: its claims are not a strict JSON object", ErrMalformed)
	}
	token := &Token{payload: payload}
	if err := cmp.Or(
		stringClaim(claims, "iss", true, &token.issuer),
		stringClaim(claims, "sub", true, &token.subject),
		stringClaim(claims, "jti", false, &token.id),
		stringClaim(claims, "client_id", false, &token.clientID),
		audienceClaim(claims, &token.audience),
		scopeClaim(claims, &token.scopes),
		dateClaim(claims, "exp", true, &token.expiry),
		dateClaim(claims, "iat", false, &token.issuedAt),
		dateClaim(claims, "nbf", false, &token.notBefore),
	); err != nil {
		return nil, err
	}
	if !token.expiry.After(token.issuedAt) {
		return nil, fmt.Errorf("%w: its exp is not after its iat", ErrMalformed)
	}
	return token, nil
}

// stringClaim reads a string that is not empty and has no control characters, which would end up in logs.
func stringClaim(claims map[string]any, name string, required bool, into *string) error {
	value, found := claims[name]
	if !found && !required {
		return nil
	}
	text, _ := value.(string)
	if text == "" || strings.ContainsFunc(text, unicode.IsControl) {
		return fmt.Errorf("%w: its %s is missing, empty, not a string, or has control characters", ErrMalformed, name)
	}
	*into = text
	return nil
}

// audienceClaim reads aud (RFC 7519 section 4.1.3), a string or a list of strings.
func audienceClaim(claims map[string]any, into *[]string) error {
	values, isList := claims["aud"].([]any)
	if !isList {
		values = []any{claims["aud"]}
	}
	for _, value := range values {
		name, ok := value.(string)
		if !ok {
			return fmt.Errorf("%w: its aud is neither a string nor a list of strings", ErrMalformed)
		}
		*into = append(*into, name)
	}
	return nil
}

// scopeClaim reads scope, which must be scope-tokens and spaces (RFC 6749 section 3.3): other white space is refused
// and not taken for a separator that the issuer did not mean.
func scopeClaim(claims map[string]any, into *[]string) error {
	value, found := claims["scope"]
	if !found {
		return nil
	}
	scope, ok := value.(string)
	if !ok || strings.ContainsFunc(scope, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return fmt.Errorf("%w: its scope is not a string of scope-tokens", ErrMalformed)
	}
	*into = strings.Fields(scope)
	return nil
}

// dateClaim reads a NumericDate (RFC 7519 section 2), which must be an integer: fractions and exponents are allowed
// there, but readers round them in different ways.
func dateClaim(claims map[string]any, name string, required bool, into *time.Time) error {
	value, found := claims[name]
	if !found && !required {
		return nil
	}
	number, _ := value.(json.Number)
	seconds, err := number.Int64()
	if err != nil || seconds < 0 || seconds > latestDate {
		return fmt.Errorf("%w: its %s is missing or not an integer of seconds up to the year 9999", ErrMalformed, name)
	}
	*into = time.Unix(seconds, 0)
	return nil
}
