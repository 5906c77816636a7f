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

// Skew is by how much the clocks of others may differ.
const Skew = 30 * time.Second

// Expected is what a JWT must say.
type Expected struct {
	Issuer string
	// Audience must be among its aud. With OnlyAudience it must be the only one.
	Audience     string
	OnlyAudience bool
	// Types are the typ that its header may have, in lower case. A JWT without one passes.
	Types []string
	// MaxLifetime bounds how long it may still live, 0 for any time.
	MaxLifetime time.Duration
}

// JWT is a JWT whose signature and claims are right.
type JWT struct {
	Subject, ID string
	Expiry      time.Time
	// Authenticated is auth_time, or iat if that is missing or earlier, zero without both: when the subject is known to have logged in.
	Authenticated time.Time
	// Claims are all of them.
	Claims map[string]any
}

// Verify checks a JWT (RFC 7519, RFC 8725): its typ; its key by kid, with the algorithm of that key; iss, aud, sub, exp, nbf
// and iat. No error quotes it.
func (u *Unverified) Verify(keys *jose.JSONWebKeySet, want Expected, now time.Time) (*JWT, error) {
	if u.typ != "" && !slices.Contains(want.Types, strings.TrimPrefix(strings.ToLower(u.typ), "application/")) {
		return nil, errors.New("its typ is that of another kind of token")
	}
	if err := u.verifySignature(keys); err != nil {
		return nil, err
	}
	return u.accept(want, now)
}

// accept checks the claims.
func (u *Unverified) accept(want Expected, now time.Time) (*JWT, error) {
	j := &JWT{Claims: u.claims, Subject: u.Subject(), ID: u.text("jti")}
	if u.Issuer() != want.Issuer {
		return nil, fmt.Errorf("its iss is not %q", want.Issuer)
	}
	if !audience(u.claims["aud"], want) {
		alone := ""
		if want.OnlyAudience {
			alone = " alone"
		}
		return nil, fmt.Errorf("its aud is not %q%s", want.Audience, alone)
	}
	if j.Subject == "" || len(j.Subject) > 255 || strings.ContainsFunc(j.Subject, unicode.IsControl) {
		return nil, errors.New("it has no sub that can be used")
	}
	if _, there := u.claims["jti"]; there && j.ID == "" {
		return nil, errors.New("its jti is not a text")
	}
	return j, j.checkTimes(want, now)
}

// audience reads aud, a text or a list of them (RFC 7519 section 4.1.3).
func audience(aud any, want Expected) bool {
	list, ok := aud.([]any)
	if !ok {
		list = []any{aud}
	}
	if slices.ContainsFunc(list, func(one any) bool { _, ok := one.(string); return !ok }) || (want.OnlyAudience && len(list) != 1) {
		return false
	}
	return want.Audience != "" && slices.Contains(list, any(want.Audience))
}

// checkTimes wants an exp, and allows for Skew.
func (j *JWT) checkTimes(want Expected, now time.Time) error {
	exp, ok := seconds(j.Claims["exp"])
	if !ok {
		return errors.New("it has no exp")
	}
	j.Expiry, j.Authenticated = exp, authenticated(j.Claims)
	if !now.Before(exp.Add(Skew)) {
		return errors.New("it has expired")
	}
	if want.MaxLifetime > 0 && exp.Sub(now) > want.MaxLifetime+Skew {
		return fmt.Errorf("its exp is more than %v ahead", want.MaxLifetime)
	}
	for _, claim := range []string{"nbf", "iat"} {
		value, present := j.Claims[claim]
		if at, ok := seconds(value); present && (!ok || now.Add(Skew).Before(at) || exp.Before(at)) {
			return fmt.Errorf("its %s is in the future, after its exp, or not a NumericDate", claim)
		}
	}
	return nil
}

// authenticated is the earlier of iat and auth_time, of those that there are.
func authenticated(claims map[string]any) time.Time {
	var earliest time.Time
	for _, claim := range []string{"iat", "auth_time"} {
		if at, ok := seconds(claims[claim]); ok && (earliest.IsZero() || at.Before(earliest)) {
			earliest = at
		}
	}
	return earliest
}

// seconds reads a NumericDate (RFC 7519 section 2).
func seconds(value any) (time.Time, bool) {
	text, _ := value.(json.Number)
	number, err := text.Float64()
	if err != nil || number < 0 || number > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(number), 0), true
}
