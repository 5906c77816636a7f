package server_test

import (
	"net/http"
	"strings"
	"testing"
)

// asOrigin makes a request one of a script.
func asOrigin(origin string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Origin", origin) }
}

func TestScriptsOfAllowedOriginsOnly(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	const app = "https://app.example.com"
	w.settings.write(map[string]string{"issuer.yaml": strings.Replace(w.config(), "server:", "server:\n  allowedOrigins: ["+app+"]", 1)})
	w.useKey("ES256", newKey(t))
	w.start()
	preflight := func(origin, method, headers string) reply {
		return w.post("", func(r *http.Request) {
			r.Method = http.MethodOptions
			r.Header.Set("Origin", origin)
			r.Header.Set("Access-Control-Request-Method", method)
			r.Header.Set("Access-Control-Request-Headers", headers)
		})
	}
	for what, r := range map[string]reply{
		"a login": w.post(alice(), asOrigin(app)), "a failed login": w.post(wrong("alice"), asOrigin(app)),
		"a preflight": preflight(app, "POST", "authorization,content-type"),
	} {
		if r.header.Get("Access-Control-Allow-Origin") != app || r.header.Get("Access-Control-Allow-Credentials") != "" ||
			!strings.Contains(strings.Join(r.header.Values("Vary"), ","), "Origin") {
			t.Errorf("%s: %d %v", what, r.status, r.header)
		}
	}
	for what, r := range map[string]reply{
		"another origin": w.post(alice(), asOrigin("https://evil.example.com")), "a longer one": w.post(alice(), asOrigin(app+".evil.com")),
		"by http": w.post(alice(), asOrigin("http://app.example.com")), "null": w.post(alice(), asOrigin("null")), "none": w.post(alice()),
		"another port": w.post(alice(), asOrigin(app+":8443")), "a preflight of another": preflight("https://evil.example.com", "POST", ""),
		"another method": preflight(app, "DELETE", ""), "another header": preflight(app, "POST", "x-other"),
	} {
		if r.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v", what, r.status, r.header)
		}
	}
	if r := w.get(w.base+"/jwks", asOrigin("https://evil.example.com")); r.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("/jwks is for everybody: %v", r.header)
	}
	w.settings.write(map[string]string{"issuer.yaml": w.config()})
	w.until("the list is read again", func() bool { return w.post(alice(), asOrigin(app)).header.Get("Access-Control-Allow-Origin") == "" })
}

func TestEveryAnswerHasTheHeadersThatBrowsersHeed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for what, r := range map[string]reply{
		"a token": w.post(alice()), "an error": w.post("x"), "the keys": w.get(w.base + "/jwks"), "no page": w.get(w.base + "/x"),
		"another method": w.get(w.base + "/token"), "options": w.post("", func(r *http.Request) { r.Method = http.MethodOptions }),
	} {
		for header, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'", "X-Content-Type-Options": "nosniff",
			"Strict-Transport-Security": "max-age=31536000", "Referrer-Policy": "no-referrer",
		} {
			if got := r.header.Get(header); got != want {
				t.Errorf("%s: %s is %q", what, header, got)
			}
		}
	}
}
