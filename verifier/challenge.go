package verifier

import (
	"errors"
	"net/http"
	"strings"

	"github.com/keywright/keywright/verifier/dpop"
)

// challenges are what WWW-Authenticate says to a request that is refused (RFC 9110 section 11.6.1): the parameters that each scheme
// has, whatever was wrong.
type challenges struct {
	proof    Proof
	metadata string // the parameter resource_metadata (RFC 9728 section 5.1), "" if there is none
}

func newChallenges(config Config) *challenges {
	c := &challenges{proof: config.Proof}
	if config.Metadata != nil {
		c.metadata = `resource_metadata="` + config.Metadata.URL() + `"`
	}
	return c
}

// refuse answers a request without a token, or with one that was refused: RFC 6750 section 3, RFC 9449 section 7.1. A client learns
// no more than whether its token or its proof is at fault.
func (c *challenges) refuse(w http.ResponseWriter, r *http.Request, reason error) {
	code := "invalid_token"
	var proof *invalidProof
	switch {
	case errors.Is(reason, ErrNoToken):
		code = ""
	case errors.As(reason, &proof):
		code = "invalid_dpop_proof"
	}
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	c.write(w, http.StatusUnauthorized, strings.EqualFold(scheme, schemeDPoP), parameter("error", code))
}

// insufficient answers a request whose token does not allow it (RFC 6750 section 3.1).
func (c *challenges) insufficient(w http.ResponseWriter, token *Token, scope string) {
	c.write(w, http.StatusForbidden, token.bound != nil && token.bound.key != "",
		parameter("error", "insufficient_scope"), parameter("scope", scope))
}

// write writes a challenge for each scheme that is accepted. The one that the client has used says what was wrong.
func (c *challenges) write(w http.ResponseWriter, status int, usedDPoP bool, said ...string) {
	used := func(is bool) []string {
		if is || c.proof != DPoPOptional {
			return said
		}
		return nil
	}
	w.Header().Del("WWW-Authenticate")
	if c.proof != DPoPRequired {
		w.Header().Add("WWW-Authenticate", challenge(schemeBearer, append(used(!usedDPoP), c.metadata)))
	}
	if c.proof != Bearer {
		algorithms := parameter("algs", strings.Join(dpop.Algorithms(), " "))
		w.Header().Add("WWW-Authenticate", challenge(schemeDPoP, append(used(usedDPoP), algorithms, c.metadata)))
	}
	http.Error(w, http.StatusText(status), status)
}

// challenge is one challenge; an empty parameter is left out.
func challenge(scheme string, parameters []string) string {
	text, before := scheme, " "
	for _, parameter := range parameters {
		if parameter != "" {
			text += before + parameter
			before = ", "
		}
	}
	return text
}

// parameter writes a parameter, "" if it has no value. A value must not need an escape.
func parameter(name, value string) string {
	if value == "" {
		return ""
	}
	return name + `="` + value + `"`
}
