package verifier

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// retryAfter is the Retry-After of a 503, in seconds: by then an unknown key may have any source read again.
const retryAfter = "5"

// tokenKey is the key of a request's Token in its context.
type tokenKey struct{}

// FromContext returns the token that Middleware accepted for this request.
func FromContext(ctx context.Context) (*Token, bool) {
	token, ok := ctx.Value(tokenKey{}).(*Token)
	return token, ok
}

// Middleware lets a request through to next if it has one valid token in its Authorization header (RFC 6750 section
// 2.1), and only there: a token in a URL ends up in logs. FromContext then has it. All others get 401 with the challenge
// of RFC 6750 section 3, which says error="invalid_token" if there was a token, but not what was wrong with it.
//
// Where nothing can be said about the token, the answer is 503 with Retry-After (RFC 9110 section 10.2.3): after Close,
// with a stale key set, for an unknown key while the key set cannot be read, and if the context ends while waiting for
// the key set. A client that got 401 would throw a valid token away.
func (v *Verifier) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		credentials, found, err := bearerToken(r.Header)
		if !found {
			challenge(w, http.StatusUnauthorized, "Bearer")
			return
		}
		var token *Token
		if err == nil {
			token, err = v.Verify(r.Context(), credentials)
		}
		switch {
		case err == nil:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenKey{}, token)))
		case errors.Is(err, ErrClosed), errors.Is(err, ErrStaleKeySet), errors.Is(err, ErrKeysUnavailable),
			errors.Is(err, context.Cause(r.Context())):
			w.Header().Set("Retry-After", retryAfter)
			http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		default:
			v.logger.DebugContext(r.Context(), "token refused", "error", err)
			challenge(w, http.StatusUnauthorized, `Bearer error="invalid_token"`)
		}
	})
}

// bearerToken returns the token of the Authorization header, and whether there was an attempt to present one. Two
// headers are one too many: what stands in front of us may have checked the other.
func bearerToken(header http.Header) (token string, found bool, err error) {
	values := header.Values("Authorization")
	if len(values) > 1 {
		return "", true, fmt.Errorf("%w: more than one Authorization header", ErrMalformed)
	}
	if len(values) == 0 {
		return "", false, nil
	}
	scheme, rest, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false, nil
	}
	return strings.TrimLeft(rest, " "), true, nil
}

// RequireScope lets a request through to a handler if its token has all these scopes, and answers 403 with
// error="insufficient_scope" (RFC 6750 section 3.1) if not. It stands behind Middleware; where that is missing it
// answers 500, since no token was checked.
func RequireScope(scope string, more ...string) func(http.Handler) http.Handler {
	scopes := append([]string{scope}, more...)
	refusal := fmt.Sprintf(`Bearer error="insufficient_scope", scope=%q`, strings.Join(scopes, " "))
	return require(scopes, (*Token).Scopes, refusal)
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
	return require(wanted, list, `Bearer error="insufficient_scope"`)
}

// require asks for all that is wanted to be in a list of the token.
func require(wanted []string, list func(*Token) []string, refusal string) func(http.Handler) http.Handler {
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
					challenge(w, http.StatusForbidden, refusal)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}

// challenge refuses a request as RFC 9110 section 11.6.1 says.
func challenge(w http.ResponseWriter, status int, value string) {
	w.Header().Set("WWW-Authenticate", value)
	http.Error(w, http.StatusText(status), status)
}
