package jwtverify

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	jose "github.com/go-jose/go-jose/v4"
)

// Skew is the tolerance for the clocks of other issuers.
const Skew = 30 * time.Second

// Expected contains the required claims of a JWT.
type Expected struct {
	Issuer string
	// Audience must be one of its aud, and the only one if OnlyAudience is set.
	Audience     string
	OnlyAudience bool
	// Types are the accepted typ, in lower case. A JWT without typ is accepted.
	Types []string
	// MaxLifetime limits the remaining lifetime, 0 for no limit.
	MaxLifetime time.Duration
}

// JWT is a verified JWT.
type JWT struct {
	Subject, ID string
	Expiry      time.Time
	// Authenticated is when the subject had logged in: the earlier of auth_time and iat, zero without both.
	Authenticated time.Time
	// Claims are all claims.
	Claims map[string]any
}

// Verify verifies a JWT (RFC 7519, RFC 8725): typ, signature with the key's algorithm, iss, aud, sub, exp, nbf and
// iat. No error quotes it.
func (u *Unverified) Verify(keys *jose.JSONWebKeySet, want Expected, now time.Time) (*JWT, error) {
	if u.typ != "" && !slices.Contains(want.Types, strings.TrimPrefix(strings.ToLower(u.typ), "application/")) {
		return nil, errors.New("its typ names another type of token")
	}
	if err := u.verifySignature(keys); err != nil {
		return nil, err
	}
	return u.validateClaims(want, now)
}

// validateClaims validates the claims.
func (u *Unverified) validateClaims(want Expected, now time.Time) (*JWT, error) {
	j := &JWT{Claims: u.claims, Subject: u.Subject(), ID: u.text("jti")}
	if u.Issuer() != want.Issuer {
		return nil, fmt.Errorf("its iss is not %q", want.Issuer)
	}
	if !hasAudience(u.claims["aud"], want) {
		alone := ""
		if want.OnlyAudience {
			alone = " alone"
		}
		return nil, fmt.Errorf("its aud is not %q%s", want.Audience, alone)
	}
	if j.Subject == "" || len(j.Subject) > 255 || strings.ContainsFunc(j.Subject, unicode.IsControl) {
		return nil, errors.New("its sub is missing or invalid")
	}
	if _, there := u.claims["jti"]; there && j.ID == "" {
		return nil, errors.New("its jti is not a string")
	}
	return j, j.checkTimes(want, now)
}

// hasAudience checks aud, a string or a list of strings (RFC 7519 section 4.1.3).
func hasAudience(aud any, want Expected) bool {
	list, ok := aud.([]any)
	if !ok {
		list = []any{aud}
	}
	if slices.ContainsFunc(list, func(one any) bool { _, ok := one.(string); return !ok }) || (want.OnlyAudience && len(list) != 1) {
		return false
	}
	return want.Audience != "" && slices.Contains(list, any(want.Audience))
}

// checkTimes validates exp, which is mandatory, nbf and iat, with Skew.
func (j *JWT) checkTimes(want Expected, now time.Time) error {
	exp, ok := parseNumericDate(j.Claims["exp"])
	if !ok {
		return errors.New("it has no exp")
	}
	j.Expiry, j.Authenticated = exp, authenticationTime(j.Claims)
	if !now.Before(exp.Add(Skew)) {
		return errors.New("it has expired")
	}
	if want.MaxLifetime > 0 && exp.Sub(now) > want.MaxLifetime+Skew {
		return fmt.Errorf("its exp is more than %v in the future", want.MaxLifetime)
	}
	for _, claim := range []string{"nbf", "iat"} {
		value, present := j.Claims[claim]
		if at, ok := parseNumericDate(value); present && (!ok || now.Add(Skew).Before(at) || exp.Before(at)) {
			return fmt.Errorf("its %s is not a NumericDate, is in the future, or is later than its exp", claim)
		}
	}
	return nil
}

// authenticationTime returns the earlier of iat and auth_time.
func authenticationTime(claims map[string]any) time.Time {
	var earliest time.Time
	for _, claim := range []string{"iat", "auth_time"} {
		if at, ok := parseNumericDate(claims[claim]); ok && (earliest.IsZero() || at.Before(earliest)) {
			earliest = at
		}
	}
	return earliest
}

// parseNumericDate converts a NumericDate (RFC 7519 section 2).
func parseNumericDate(value any) (time.Time, bool) {
	text, _ := value.(json.Number)
	number, err := text.Float64()
	if err != nil || number < 0 || number > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(number), 0), true
}
