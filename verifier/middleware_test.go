package verifier

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// whoami answers with the subject of the token that Middleware accepted.
func whoami(w http.ResponseWriter, r *http.Request) {
	token, ok := FromContext(r.Context())
	if !ok {
		http.Error(w, "no token", http.StatusTeapot)
		return
	}
	_, _ = io.WriteString(w, token.Subject())
}

// recordRequest gives a request with these Authorization headers to a Middleware without a network between.
func recordRequest(v *Verifier, authorization ...string) *http.Response {
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.Header["Authorization"] = authorization
	recorder := httptest.NewRecorder()
	v.Middleware(http.HandlerFunc(whoami)).ServeHTTP(recorder, request)
	return recorder.Result()
}

func TestMiddleware(t *testing.T) {
	v := newVerifier(t, testConfig(t))
	mux := http.NewServeMux()
	mux.Handle("/", v.Middleware(http.HandlerFunc(whoami)))
	mux.Handle("/read", v.Middleware(RequireScope("orders:read")(http.HandlerFunc(whoami))))
	mux.Handle("/both", v.Middleware(RequireScope("orders:read", "orders:write")(http.HandlerFunc(whoami))))
	mux.Handle("/admin", v.Middleware(RequireScope("orders:read", "orders:admin")(http.HandlerFunc(whoami))))
	mux.Handle("/unguarded", RequireScope("orders:read")(http.HandlerFunc(whoami)))
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)

	const none, invalid = "Bearer", `Bearer error="invalid_token"`
	good := esKey().good()
	expired := esKey().sign(goodHeader, replaced(t, goodClaims, `"exp":1800000600,"iat":1800000000,"nbf":1800000000`, `"exp":1`))
	for _, row := range []struct {
		name, path    string
		authorization []string
		status        int
		challenge     string
	}{
		{"valid", "/", []string{"Bearer " + good}, 200, ""},
		{"scheme in lower case", "/", []string{"bearer " + good}, 200, ""},
		{"two spaces", "/", []string{"BEARER  " + good}, 200, ""},
		{"none", "/", nil, 401, none},
		{"an empty header", "/", []string{""}, 401, none},
		{"another scheme", "/", []string{"Basic dXNlcjpwYXNz"}, 401, none},
		{"the token alone", "/", []string{good}, 401, none},
		{"a longer scheme", "/", []string{"BearerX " + good}, 401, none},
		{"the scheme alone", "/", []string{"Bearer"}, 401, invalid},
		{"a tab between", "/", []string{"Bearer\t" + good}, 401, none},
		{"a tab after the space", "/", []string{"Bearer \t" + good}, 401, invalid},
		{"expired", "/", []string{"Bearer " + expired}, 401, invalid},
		{"unknown key", "/", []string{"Bearer " + otherKey().good()}, 401, invalid},
		{"garbage", "/", []string{"Bearer \x80\xff..."}, 401, invalid},
		{"a list", "/", []string{"Bearer " + good + ", Bearer " + good}, 401, invalid},
		{"two headers", "/", []string{"Bearer " + good, "Bearer " + good}, 401, invalid},
		{"two headers, one basic", "/", []string{"Basic dXNlcjpwYXNz", "Bearer " + good}, 401, invalid},
		{"in the query", "/?access_token=" + url.QueryEscape(good), nil, 401, none},
		{"scope", "/read", []string{"Bearer " + good}, 200, ""},
		{"two scopes", "/both", []string{"Bearer " + good}, 200, ""},
		{"scope lacking", "/admin", []string{"Bearer " + good}, 403, `Bearer error="insufficient_scope", scope="orders:read orders:admin"`},
		{"scope without a token", "/admin", nil, 401, none},
		{"RequireScope without Middleware", "/unguarded", []string{"Bearer " + good}, 500, ""},
	} {
		request := must(http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+row.path,
			strings.NewReader("access_token="+good)))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.AddCookie(&http.Cookie{Name: "access_token", Value: good})
		request.Header["Authorization"] = row.authorization
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		body := string(must(io.ReadAll(response.Body)))
		_ = response.Body.Close()
		challenge := strings.Join(response.Header.Values("WWW-Authenticate"), "|")
		if response.StatusCode != row.status || challenge != row.challenge || (row.status == 200) != (body == "alice") {
			t.Errorf("%s: got %d, challenge %q, body %q", row.name, response.StatusCode, challenge, body)
		}
	}
}

func TestMiddlewareWithoutAnAnswer(t *testing.T) {
	mounted := newVolume(t, setOf(esKey().jwk()))
	f := follow(t, mounted.path())

	gate := gated(t, f.feed(), make(chan struct{}))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the client is gone"))
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	request.Header.Set("Authorization", "Bearer "+otherKey().good())
	recorder := httptest.NewRecorder()
	f.Middleware(http.HandlerFunc(whoami)).ServeHTTP(recorder, request)
	close(gate.open)
	if recorder.Code != http.StatusServiceUnavailable {
		t.Errorf("ended context: %d", recorder.Code)
	}

	f.Close()
	if got := recordRequest(f.Verifier, "Bearer "+esKey().good()).StatusCode; got != http.StatusServiceUnavailable {
		t.Errorf("closed: %d", got)
	}
	if got := recordRequest(f.Verifier).StatusCode; got != http.StatusUnauthorized {
		t.Errorf("closed, no token: %d", got)
	}
}

// A permission is an entry of a list of strings, and nothing that looks like one.
func TestRequirePermission(t *testing.T) {
	v := newVerifier(t, testConfig(t))
	whoever := http.HandlerFunc(whoami)
	read, both := RequirePermission("orders:read")(whoever), RequirePermission("orders:read", "orders:write")(whoever)
	staff := RequireGroup("staff", "oncall")(whoever)
	for _, row := range []struct {
		name, claims string
		guarded      http.Handler
		status       int
	}{
		{"a permission", `"permissions":["a","orders:read"]`, read, 200},
		{"both", `"permissions":["orders:write","orders:read"]`, both, 200},
		{"one of two", `"permissions":["orders:read"]`, both, 403},
		{"none", `"permissions":[]`, read, 403},
		{"no claim", `"x":1`, read, 403},
		{"a string", `"permissions":"orders:read"`, read, 403},
		{"a string of several", `"permissions":"orders:read orders:write"`, read, 403},
		{"an object", `"permissions":{"orders:read":true}`, read, 403},
		{"a list with something else", `"permissions":["orders:read",1]`, read, 403},
		{"a longer one", `"permissions":["orders:reads"]`, read, 403},
		{"a scope is no permission", `"x":1`, RequirePermission("orders:write")(whoever), 403},
		{"groups", `"groups":["oncall","staff"]`, staff, 200},
		{"a group of two", `"groups":["staff"]`, staff, 403},
		{"a permission is no group", `"permissions":["staff","oncall"]`, staff, 403},
	} {
		claims := replaced(t, goodClaims, `"groups":["a","b"]`, row.claims)
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.Header.Set("Authorization", "Bearer "+esKey().sign(goodHeader, claims))
		recorder := httptest.NewRecorder()
		v.Middleware(row.guarded).ServeHTTP(recorder, request)
		challenge := recorder.Header().Get("WWW-Authenticate")
		if recorder.Code != row.status || (row.status == 403) != (challenge == `Bearer error="insufficient_scope"`) {
			t.Errorf("%s: status %d, challenge %q", row.name, recorder.Code, challenge)
		}
	}
	recorder := httptest.NewRecorder()
	read.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	if recorder.Code != 500 {
		t.Errorf("without Middleware: status %d", recorder.Code)
	}
}
