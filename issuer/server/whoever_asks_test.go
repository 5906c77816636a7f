package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Public documents answer the preflight of any origin, and the token endpoint that of the headers of tracing.
func TestPreflights(t *testing.T) {
	w := prepare(t)
	const app = "https://app.example.com"
	w.settings.write(map[string]string{"issuer.yaml": strings.Replace(w.config(), "server:", "server:\n  allowedOrigins: ["+app+"]", 1)})
	w.useKey("ES256", newKey(t))
	w.start()
	preflight := func(url, origin, method, headers string) reply {
		return w.get(url, func(r *http.Request) {
			r.Method = http.MethodOptions
			r.Header.Set("Origin", origin)
			r.Header.Set("Access-Control-Request-Method", method)
			r.Header.Set("Access-Control-Request-Headers", headers)
		})
	}
	for _, path := range []string{"/jwks", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		r := preflight(w.base+path, "https://anybody.example.org", "GET", "traceparent,x-any")
		if r.status != http.StatusNoContent || r.header.Get("Access-Control-Allow-Origin") != "*" || r.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d %v", path, r.status, r.header)
		}
		if r := preflight(w.base+path, "https://anybody.example.org", "DELETE", ""); r.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s lets scripts delete: %v", path, r.header)
		}
	}
	if r := preflight(w.base+"/token", app, "POST", "baggage,content-type,traceparent,tracestate"); r.header.Get("Access-Control-Allow-Origin") != app {
		t.Errorf("/token: %d %v", r.status, r.header)
	}
}

// OpenID clients ask for openid. It is no scope here, and no reason to refuse them.
func TestScopeOpenIDIsIgnored(t *testing.T) {
	w := newWorld(t)
	without := w.post(alice())
	for _, scope := range []string{"openid", "openid " + without.fields["scope"].(string)} {
		if r := w.post(alice("scope", scope)); r.status != http.StatusOK || r.fields["scope"] != without.fields["scope"] {
			t.Errorf("%s: %d %s", scope, r.status, r.body)
		}
	}
}

// A new token has no nbf: jose, jsonwebtoken and fast-jwt refuse it where the clock is a second behind.
func TestTokensHaveNoNotBefore(t *testing.T) {
	w := newWorld(t)
	token := w.verify(w.post(alice()).fields["access_token"].(string), audience)
	if !token.NotBefore().IsZero() || token.IssuedAt().IsZero() {
		t.Errorf("nbf %v, iat %v", token.NotBefore(), token.IssuedAt())
	}
}

// No user has the subject of an exchanged token.
func TestUsersWithAForeignSubject(t *testing.T) {
	w := prepare(t)
	list := usersFile(fmt.Sprintf("- name: mallory\n  subject: \"cluster:system:serviceaccount:prod:deployer\"\n  passwordHash: %q\n", aliceHash))
	w.settings.write(map[string]string{"issuer.yaml": w.config() + fmt.Sprintf(`
tokenExchange:
- {name: cluster, issuer: "https://kubernetes.default.svc", keys: {file: %s/none.json}}
`, w.settings.Directory)})
	w.useKey("ES256", newKey(t))
	w.start()
	w.users.write(map[string]string{"users.yaml": list})
	w.until("the list is refused", func() bool {
		return strings.Contains(w.log.String(), "a subject with the prefix cluster:, which is reserved")
	})
	if r := w.post(form("grant_type", "password", "client_id", "web", "username", "mallory", "password", password)); r.status == http.StatusOK {
		t.Errorf("a token for %s", r.body)
	}
	if r := w.post(alice()); r.status != http.StatusOK {
		t.Errorf("the last good list goes on: %d %s", r.status, r.body)
	}
}
