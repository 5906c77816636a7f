package verifier

import (
	"errors"
	"net/http"
	"strings"

	"github.com/keywright/keywright/verifier/dpop"
)

// challenges writes the WWW-Authenticate challenges of rejected requests (RFC 9110 section 11.6.1).
type challenges struct {
	proof    Proof
	metadata string // the parameter resource_metadata (RFC 9728 section 5.1), or ""
}

func newChallenges(config Config) *challenges {
	c := &challenges{proof: config.Proof}
	if config.Metadata != nil {
		c.metadata = `resource_metadata="` + config.Metadata.URL() + `"`
	}
	return c
}

// refuse responds 401 to a request without a valid token (RFC 6750 section 3, RFC 9449 section 7.1). The error code
// tells the client only whether the token or the proof is invalid.
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

// insufficient responds 403 to a request whose token lacks a scope (RFC 6750 section 3.1).
func (c *challenges) insufficient(w http.ResponseWriter, token *Token, scope string) {
	c.write(w, http.StatusForbidden, token.bound != nil && token.bound.key != "",
		parameter("error", "insufficient_scope"), parameter("scope", scope))
}

// write writes one challenge per accepted scheme. Only the scheme that the client used gets the error parameters.
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

// challenge formats a challenge, without its empty parameters.
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

// parameter formats an auth-param (RFC 9110 section 11.2), or returns "" if the value is empty. The value must not
// need escaping.
func parameter(name, value string) string {
	if value == "" {
		return ""
	}
	return name + `="` + value + `"`
}
