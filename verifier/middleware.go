package verifier

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// retryAfter is the Retry-After of a 503, in seconds: by then an unknown key may have any source read again.
const retryAfter = "5"

// tokenKey is the key of a request's Token in its context.
type tokenKey struct{}

// NewContext returns a context that has a token for FromContext: for protocols that Middleware does not speak, such as gRPC, once
// Verify has returned the token.
func NewContext(ctx context.Context, token *Token) context.Context {
	return context.WithValue(ctx, tokenKey{}, token)
}

// FromContext returns the token that Middleware accepted for this request, or that NewContext was given.
func FromContext(ctx context.Context) (*Token, bool) {
	token, ok := ctx.Value(tokenKey{}).(*Token)
	return token, ok
}

// Middleware lets a request through to next if it has one valid token in its Authorization header (RFC 6750 section
// 2.1, RFC 9449 section 7.1), and only there: a token in a URL ends up in logs. FromContext then has it. All others get 401 with the
// challenge of RFC 6750 section 3, or of RFC 9449 section 7.1 with Config.Proof, which says error="invalid_token" if there was a
// token, or "invalid_dpop_proof" if its proof is at fault, but not what was wrong.
//
// Where nothing can be said about the token, the answer is 503 with Retry-After (RFC 9110 section 10.2.3): after Close,
// with a stale key set, for an unknown key while the key set cannot be read, and if the context ends while waiting for
// the key set. A client that got 401 would throw a valid token away.
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

// RequireScope lets a request through to a handler if its token has all these scopes, and answers 403 with
// error="insufficient_scope" (RFC 6750 section 3.1) if not. It stands behind Middleware; where that is missing it
// answers 500, since no token was checked.
func RequireScope(scope string, more ...string) func(http.Handler) http.Handler {
	scopes := append([]string{scope}, more...)
	return require(scopes, (*Token).Scopes, strings.Join(scopes, " "))
}

// RequirePermission is RequireScope for the claim permissions, a list of strings: what the user may do, where scopes say
// what the client was given.
func RequirePermission(permission string, more ...string) func(http.Handler) http.Handler {
	return requireMember("permissions", append([]string{permission}, more...))
}

// RequireGroup is RequireScope for the claim groups, a list of strings (RFC 9068 section 2.2.3.1).
func RequireGroup(group string, more ...string) func(http.Handler) http.Handler {
	return requireMember("groups", append([]string{group}, more...))
}

func requireMember(claim string, wanted []string) func(http.Handler) http.Handler {
	list := func(token *Token) []string { return token.List(claim) }
	return require(wanted, list, "")
}

// require asks for all that is wanted to be in a list of the token. A refusal names the scope, if there is one.
func require(wanted []string, list func(*Token) []string, scope string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, ok := FromContext(r.Context())
			if !ok {
				http.Error(w, "no Middleware before a requirement", http.StatusInternalServerError)
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
