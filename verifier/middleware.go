package verifier

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// retryAfter is the Retry-After of a 503 response, in seconds: the longest interval between two polls for unknown
// kids.
const retryAfter = "5"

// tokenKey is the key of a request's Token in its context.
type tokenKey struct{}

// NewContext returns a context that carries a verified token for FromContext. Use it for protocols that Middleware
// does not support, such as gRPC.
func NewContext(ctx context.Context, token *Token) context.Context {
	return context.WithValue(ctx, tokenKey{}, token)
}

// FromContext returns the token that Middleware accepted for this request, or that was passed to NewContext.
func FromContext(ctx context.Context) (*Token, bool) {
	token, ok := ctx.Value(tokenKey{}).(*Token)
	return token, ok
}

// Middleware calls next if the Authorization header of a request has exactly one valid token (RFC 6750 section 2.1,
// RFC 9449 section 7.1); FromContext then returns it. Tokens elsewhere are ignored, because URLs end up in logs.
// Otherwise it responds with 401 and the challenge of RFC 6750 section 3, or of RFC 9449 section 7.1 with
// Config.Proof. The error is "invalid_token", or "invalid_dpop_proof" if the proof is invalid, and absent without a
// token.
//
// If the token can be neither accepted nor rejected, it responds with 503 and Retry-After (RFC 9110 section 10.2.3),
// because a client discards its token after a 401. That is the case after Close, with a stale key set, for an unknown
// key while the key set cannot be read, and if the context ends during a poll.
func (v *Verifier) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := v.VerifyRequest(r)
		switch {
		case err == nil:
			next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), token)))
		case errors.Is(err, ErrClosed), errors.Is(err, ErrStaleKeySet), errors.Is(err, ErrKeysUnavailable),
			errors.Is(err, context.Cause(r.Context())):
			w.Header().Set("Retry-After", retryAfter)
			http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		default:
			if !errors.Is(err, ErrNoToken) {
				v.logger.DebugContext(r.Context(), "token refused", "error", err)
			}
			v.challenges.refuse(w, r, err)
		}
	})
}

// RequireScope returns middleware that responds with 403 and error="insufficient_scope" (RFC 6750 section 3.1) unless
// the token has all scopes. It must be used inside Middleware; otherwise it responds with 500.
func RequireScope(scope string, more ...string) func(http.Handler) http.Handler {
	scopes := append([]string{scope}, more...)
	return require(scopes, (*Token).Scopes, strings.Join(scopes, " "))
}

// RequirePermission is like RequireScope, for the claim permissions, a list of strings with what the user may do.
func RequirePermission(permission string, more ...string) func(http.Handler) http.Handler {
	return requireMember("permissions", append([]string{permission}, more...))
}

// RequireGroup is like RequireScope, for the claim groups, a list of strings (RFC 9068 section 2.2.3.1).
func RequireGroup(group string, more ...string) func(http.Handler) http.Handler {
	return requireMember("groups", append([]string{group}, more...))
}

func requireMember(claim string, wanted []string) func(http.Handler) http.Handler {
	list := func(token *Token) []string { return token.List(claim) }
	return require(wanted, list, "")
}

// require requires that a list of the token contains all wanted values. The challenge names the scope, if there is
// one.
func require(wanted []string, list func(*Token) []string, scope string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, ok := FromContext(r.Context())
			if !ok {
				http.Error(w, "RequireScope, RequirePermission and RequireGroup must be used inside Middleware", http.StatusInternalServerError)
				return
			}
			has := list(token)
			for _, one := range wanted {
				if !slices.Contains(has, one) {
					token.challenges.insufficient(w, token, scope)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}
