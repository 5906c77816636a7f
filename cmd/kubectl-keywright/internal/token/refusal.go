package token

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/untrusted"
	"github.com/keywright/keywright/verifier"
)

// explained is a refusal with what the token has and what was asked for, which the verifier keeps out of the logs of services.
func (c *command) explained(refusal error, token string, config verifier.Config, v *verifier.Verifier) error {
	if errors.Is(refusal, verifier.ErrStaleKeySet) || errors.Is(refusal, verifier.ErrKeysUnavailable) { // which says nothing about the token
		return refusal
	}
	t, err := readContents(token)
	if err != nil {
		return cli.Negativef("%w: %w", verifier.ErrMalformed, err)
	}
	because := func(reason error, format string, args ...any) error {
		return cli.Negativef("%w: %s", reason, fmt.Sprintf(format, args...))
	}
	switch {
	case errors.Is(refusal, verifier.ErrUnknownKey):
		return because(verifier.ErrUnknownKey, "its kid is %s, and the key set has %s", untrusted.Quote(t.Header["kid"]), keyIDsOf(v))
	case errors.Is(refusal, verifier.ErrWrongAlgorithm):
		return because(refusal, "its alg is %s", untrusted.Quote(t.Header["alg"]))
	case errors.Is(refusal, verifier.ErrBadSignature):
		return because(refusal, "its kid is %s", untrusted.Quote(t.Header["kid"]))
	case errors.Is(refusal, verifier.ErrWrongType):
		wanted := config.Type
		if wanted == "" {
			wanted = "at+jwt (--type asks for another)"
		}
		return because(verifier.ErrWrongType, "its typ is %s, not %s", untrusted.Quote(t.Header["typ"]), wanted)
	case errors.Is(refusal, verifier.ErrWrongIssuer):
		return because(verifier.ErrWrongIssuer, "its iss is %s, not %s", untrusted.Quote(t.Claims["iss"]), untrusted.Quote(v.KeySets()[0].Issuer))
	case errors.Is(refusal, verifier.ErrWrongAudience):
		return because(verifier.ErrWrongAudience, "its aud is %s, not %s", untrusted.Quote(t.Claims["aud"]), untrusted.Quote(config.Audience))
	case errors.Is(refusal, verifier.ErrExpired):
		return because(verifier.ErrExpired, "its exp is %s", c.moment(t.Claims["exp"]))
	case errors.Is(refusal, verifier.ErrNotYetValid):
		return because(verifier.ErrNotYetValid, "its nbf is %s, its iat %s", c.moment(t.Claims["nbf"]), c.moment(t.Claims["iat"]))
	}
	return cli.Negative(refusal)
}

// keyIDsOf names the keys of the set.
func keyIDsOf(v *verifier.Verifier) string {
	var ids []string
	for _, set := range v.KeySets() {
		for _, id := range set.KeyIDs {
			ids = append(ids, untrusted.Quote(id))
		}
	}
	if len(ids) == 0 {
		return "no key"
	}
	return strings.Join(ids, ", ")
}

// moment says when a claim of a token is.
func (c *command) moment(claim any) string {
	at := timeOf(claim)
	if at == nil {
		return "missing"
	}
	return at.UTC().Format(time.RFC3339) + ", " + c.RelativeTime(at)
}
