package server_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
)

func TestPasswordGrantGivesAnAccessTokenThatVerifies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.post(alice())
	if r.status != http.StatusOK || r.fields["token_type"] != "Bearer" || r.fields["expires_in"] != 300.0 || r.fields["scope"] != "read write" {
		t.Fatalf("answer %d %s", r.status, r.body)
	}
	if r.header.Get("Cache-Control") != "no-store" || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", r.header)
	}
	token := w.verify(r.fields["access_token"].(string), audience)
	if token.Subject() != "8a2f" || token.ClientID() != "web" || token.ID() == "" || !slices.Equal(token.Scopes(), []string{"read", "write"}) {
		t.Errorf("token %+v", token)
	}
	if token.Expiry().Sub(token.IssuedAt()) != 5*time.Minute || !token.NotBefore().IsZero() {
		t.Errorf("it lives from %v and %v to %v", token.IssuedAt(), token.NotBefore(), token.Expiry())
	}
	var claims struct {
		Email       string   `json:"email"`
		Groups      []string `json:"groups"`
		Permissions []string `json:"permissions"`
	}
	if err := token.Claims(&claims); err != nil || claims.Email != "alice@example.com" || len(claims.Groups) != 1 || len(claims.Permissions) != 1 {
		t.Errorf("claims %+v %v", claims, err)
	}
	again := w.verify(w.post(alice()).fields["access_token"].(string), audience)
	if again.ID() == token.ID() {
		t.Error("two tokens have the same jti")
	}
}

func TestClientCredentialsByBothMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	posted := w.post(form("grant_type", "client_credentials", "client_id", "batch", "client_secret", secret))
	basic := w.post(form("grant_type", "client_credentials"), func(r *http.Request) { r.SetBasicAuth("batch", secret) })
	encoded := w.post(form("grant_type", "client_credentials"), func(r *http.Request) {
		r.SetBasicAuth(url.QueryEscape("sp%ce/x"), url.QueryEscape(secret))
	})
	for _, r := range []reply{posted, basic} {
		if r.status != http.StatusOK {
			t.Fatalf("answer %d %s", r.status, r.body)
		}
		token := w.verify(r.fields["access_token"].(string), "https://warehouse.example.com")
		if token.Subject() != "client:batch" || token.ClientID() != "batch" || !slices.Equal(token.Scopes(), []string{"read"}) {
			t.Errorf("token %+v", token)
		}
	}
	if token := w.verify(encoded.fields["access_token"].(string), audience); token.Subject() != "client:sp%ce/x" {
		t.Errorf("the credentials were not decoded: %+v", token)
	}
}

func TestScopesAreNarrowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct{ name, request, granted, refused string }{
		{"alice", "", "read write", ""},
		{"alice", "read", "read", ""},
		{"alice", "write read write", "read write", ""},
		{"alice", "admin", "", "invalid_scope"},
		{"carol", "", "read", ""},
		{"carol", "write", "", "invalid_scope"},
		{"carol", "admin", "", "invalid_scope"}, // hers, but not the client's
	} {
		r := w.post(form("grant_type", "password", "client_id", "web", "username", c.name, "password", password, "scope", c.request))
		if got, _ := r.fields["scope"].(string); got != c.granted {
			t.Errorf("%s asks for %q and gets %q, want %q: %s", c.name, c.request, got, c.granted, r.body)
		}
		if got, _ := r.fields["error"].(string); got != c.refused {
			t.Errorf("%s asks for %q: %q, want %q", c.name, c.request, got, c.refused)
		}
	}
}

func TestEveryMistakeHasItsError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	basic := func(id, secret string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(id, secret) }
	}
	cc := form("grant_type", "client_credentials")
	for name, c := range map[string]struct {
		form   string
		edit   func(*http.Request)
		status int
		code   string
	}{
		"no grant type":                 {form("client_id", "web"), nil, 400, "invalid_request"},
		"unknown grant type":            {form("grant_type", "authorization_code", "client_id", "web"), nil, 400, "unsupported_grant_type"},
		"no client":                     {cc, nil, 400, "invalid_request"},
		"unknown client":                {cc + "&client_id=nobody&client_secret=x", nil, 401, "invalid_client"},
		"no secret":                     {cc + "&client_id=batch", nil, 401, "invalid_client"},
		"empty secret":                  {cc + "&client_id=batch&client_secret=", nil, 401, "invalid_client"},
		"wrong secret":                  {cc, basic("batch", "wrong"), 401, "invalid_client"},
		"a bearer token":                {cc, func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 401, "invalid_client"},
		"a public client with a secret": {alice("client_secret", "x"), nil, 401, "invalid_client"},
		"two methods":                   {cc + "&client_secret=" + secret, basic("batch", secret), 400, "invalid_request"},
		"two headers":                   {cc, func(r *http.Request) { r.Header["Authorization"] = []string{"Basic eDp5", "Basic eDp5"} }, 400, "invalid_request"},
		"another client_id":             {cc + "&client_id=web", basic("batch", secret), 400, "invalid_request"},
		"a grant it may not use":        {form("grant_type", "password", "username", "alice", "password", password), basic("batch", secret), 400, "unauthorized_client"},
		"no password":                   {form("grant_type", "password", "client_id", "web", "username", "alice"), nil, 400, "invalid_request"},
		"no username":                   {form("grant_type", "password", "client_id", "web", "password", "x"), nil, 400, "invalid_request"},
		"a repeated parameter":          {alice("client_id", "web"), nil, 400, "invalid_request"},
		"a body that is no form":        {"grant_type=%zz", nil, 400, "invalid_request"},
		"bytes that are no text":        {"grant_type=password&client_id=web&username=%ff&password=x", nil, 400, "invalid_request"},
		"a long body":                   {alice("x", strings.Repeat("x", 17<<10)), nil, 413, "invalid_request"},
		"parameters in the URL":         {alice(), func(r *http.Request) { r.URL.RawQuery = "scope=read" }, 400, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			edits := []func(*http.Request){}
			if c.edit != nil {
				edits = append(edits, c.edit)
			}
			r := w.post(c.form, edits...)
			if r.status != c.status || r.fields["error"] != c.code || r.fields["error_description"] == "" {
				t.Errorf("got %d %s, want %d %s", r.status, r.body, c.status, c.code)
			}
			if r.header.Get("Cache-Control") != "no-store" {
				t.Errorf("a cache may keep it: %v", r.header)
			}
			if (r.status == 401) != strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Basic ") {
				t.Errorf("WWW-Authenticate is %q", r.header.Get("WWW-Authenticate"))
			}
		})
	}
}

func TestUnknownUserAndWrongPasswordLookTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	try := func(name, password string) reply {
		return w.post(form("grant_type", "password", "client_id", "web", "username", name, "password", password))
	}
	wrong := try("alice", "wrong")
	if wrong.status != 400 || wrong.fields["error"] != "invalid_grant" {
		t.Fatalf("a wrong password: %d %s", wrong.status, wrong.body)
	}
	for what, r := range map[string]reply{
		"an unknown user": try("mallory", "wrong"), "a disabled user": try("bob", password), "a disabled user, wrong password": try("bob", "x"),
	} {
		if r.status != wrong.status || r.body != wrong.body || len(r.header) != len(wrong.header) {
			t.Errorf("%s: %d %s %v", what, r.status, r.body, r.header)
		}
	}
}

func TestOtherMethodsAndPathsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if r := w.get(w.base + "/token"); r.status != http.StatusMethodNotAllowed {
		t.Errorf("GET /token: %d", r.status)
	}
	if r := w.get(w.base + "/"); r.status != http.StatusNotFound || r.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("GET /: %d %v", r.status, r.header)
	}
	if r := w.get(w.base + "/metrics"); r.status != http.StatusNotFound {
		t.Errorf("GET /metrics on the public listener: %d", r.status)
	}
}

func TestTokenNeverOutlivesThePolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := keyFiles(t, "ES256", newKey(t))
	files["policy.json"] = encoded(issuerfiles.Policy{SigningKey: "platform", Algorithm: "ES256", MaxLifetime: time.Minute})
	w.keys.write(files)
	w.until("the shorter lifetime", func() bool { return w.post(alice()).fields["expires_in"] == 60.0 })
	if !strings.Contains(w.log.String(), "tokens get its maxLifetime instead") {
		t.Error("nobody was told that token.lifetime is longer than the policy allows")
	}
}
