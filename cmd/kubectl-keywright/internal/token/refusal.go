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

// explain adds to a refusal what the token has and what was expected, which the verifier does not disclose to the logs of services.
func (c *command) explain(refusal error, token string, config verifier.Config, v *verifier.Verifier) error {
	if errors.Is(refusal, verifier.ErrStaleKeySet) || errors.Is(refusal, verifier.ErrKeysUnavailable) { // the refusal is not about the token
		return refusal
	}
	t, err := decode(token)
	if err != nil {
		return cli.Negativef("%w: %w", verifier.ErrMalformed, err)
	}
	refused := func(reason error, format string, args ...any) error {
		return cli.Negativef("%w: %s", reason, fmt.Sprintf(format, args...))
	}
	switch {
	case errors.Is(refusal, verifier.ErrUnknownKey):
		return refused(verifier.ErrUnknownKey, "its kid is %s, and the key set has %s", untrusted.Quote(t.Header["kid"]), keyIDs(v))
	case errors.Is(refusal, verifier.ErrWrongAlgorithm):
		return refused(refusal, "the token has the alg %s", untrusted.Quote(t.Header["alg"]))
	case errors.Is(refusal, verifier.ErrBadSignature):
		return refused(refusal, "its kid is %s", untrusted.Quote(t.Header["kid"]))
	case errors.Is(refusal, verifier.ErrWrongType):
		wanted := config.Type
		if wanted == "" {
			wanted = "at+jwt (set --type for another)"
		}
		return refused(verifier.ErrWrongType, "its typ is %s, not %s", untrusted.Quote(t.Header["typ"]), wanted)
	case errors.Is(refusal, verifier.ErrWrongIssuer):
		return refused(verifier.ErrWrongIssuer, "its iss is %s, not %s", untrusted.Quote(t.Claims["iss"]), untrusted.Quote(v.KeySets()[0].Issuer))
	case errors.Is(refusal, verifier.ErrWrongAudience):
		return refused(verifier.ErrWrongAudience, "its aud is %s, not %s", untrusted.Quote(t.Claims["aud"]), untrusted.Quote(config.Audience))
	case errors.Is(refusal, verifier.ErrExpired):
		return refused(verifier.ErrExpired, "its exp is %s", c.formatTime(t.Claims["exp"]))
	case errors.Is(refusal, verifier.ErrNotYetValid):
		return refused(verifier.ErrNotYetValid, "its nbf is %s, and its iat is %s", c.formatTime(t.Claims["nbf"]), c.formatTime(t.Claims["iat"]))
	}
	return cli.Negative(refusal)
}

// keyIDs returns the IDs of the keys in the set.
func keyIDs(v *verifier.Verifier) string {
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

// formatTime returns the time in a claim, absolute and relative.
func (c *command) formatTime(claim any) string {
	at := numericDate(claim)
	if at == nil {
		return "missing"
	}
	return at.UTC().Format(time.RFC3339) + ", " + c.RelativeTime(at)
}
