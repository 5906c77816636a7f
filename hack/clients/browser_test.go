package clients_test

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/verifier"
)

// The page of the documentation, in a real browser, on five origins: it, the issuer, two services, and an attacker's.
func TestBrowser(t *testing.T) {
	needsChromium(t)
	a, k := newAuthority(t), newKeyring(t)
	var pages site
	app, stranger := httptest.NewTLSServer(&pages), httptest.NewTLSServer(&pages)
	defer app.Close()
	defer stranger.Close()
	// The lifetime is long enough for the calls, and short enough to wait for its end.
	r := startIssuer(t, a, k, options{server: "  allowedOrigins: [" + app.URL + "]", lifetime: "10s"})
	shop, warehouse := newService(t, "shop", r.url, app.URL, k), newService(t, "warehouse", r.url, app.URL, k)
	var reached atomic.Int64
	evil := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		w.Header().Set("Access-Control-Allow-Origin", "*")
		_, _ = fmt.Fprint(w, "window.stolen = 1")
	}))
	defer evil.Close()
	pages.policy = policy(t, r.url, shop.URL, warehouse.URL)
	pages.config = fmt.Sprintf(`{"issuer":%q,"clientID":"web","services":{"shop":%q,"warehouse":%q}}`, r.url, shop.URL, warehouse.URL)
	pages.injected = fmt.Sprintf(`<script>window.stolen = 1</script><script src="%[1]s/script"></script><img src="%[1]s/image" onerror="window.stolen = 1">`, evil.URL)
	seen := script(t, append(browserEnvironment(), "APP="+app.URL, "STRANGER="+stranger.URL, "INJECTED="+app.URL+"/?injected", "EVIL="+evil.URL), "node", "browser.mjs")
	for what, want := range map[string]any{
		"wrongPassword": "refused", "shop": "greeted", "warehouse": "greeted", "stored": 0.0, "cookies": 0.0, "expiry": "must log in again",
		"violations": 0.0, "stranger": "refused by CORS", "stolen": "nothing",
	} {
		if seen[what] != want {
			t.Errorf("%s: %v, want %v", what, seen[what], want)
		}
	}
	var stopped []string
	list, _ := seen["stopped"].([]any)
	for _, directive := range list {
		stopped = append(stopped, fmt.Sprint(directive))
	}
	for _, directive := range []string{"script-src-elem", "img-src", "connect-src", "require-trusted-types-for"} {
		if !slices.Contains(stopped, directive) {
			t.Errorf("%s stopped nothing: %v", directive, stopped)
		}
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("%d requests reached the attacker", n)
	}
}

// needsChromium skips a test, or fails it where all must be there.
func needsChromium(t *testing.T) {
	t.Helper()
	needs(t, "chromium", "apt-get install chromium")
	needsPackage(t, "playwright-core")
}

// browserEnvironment is what scripts that drive Chromium need.
func browserEnvironment() []string {
	return []string{"CHROMIUM=" + cmp.Or(os.Getenv("CHROMIUM"), "/usr/bin/chromium"), "PASSWORD=" + password}
}

// policy is the one of the documentation, with the origins of this test.
func policy(t *testing.T, issuer, shop, warehouse string) string {
	t.Helper()
	_, rest, found := strings.Cut(browsersPage(t), "Content-Security-Policy: ")
	text, _, _ := strings.Cut(rest, "\n")
	if !found {
		t.Fatal("the documentation has no policy")
	}
	return strings.NewReplacer("https://issuer.example.com", issuer, "https://shop.example.com", shop, "https://warehouse.example.com", warehouse).Replace(text)
}

func browsersPage(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/browsers.md")
	must(t, err)
	return string(b)
}

// site serves the example. With ?injected, an attacker has got markup into the page.
type site struct{ policy, config, injected string }

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", s.policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	name := strings.TrimPrefix(r.URL.Path, "/")
	switch name {
	case "config.json":
		h.Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, s.config)
		return
	case "":
		name = "index.html"
	case "app.js", "session.js", "prove.js", "keep.js":
	default:
		http.NotFound(w, r)
		return
	}
	b, err := os.ReadFile(filepath.Join("../../docs/examples/browser", name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	kind := "text/html"
	if strings.HasSuffix(name, ".js") {
		kind = "text/javascript"
	}
	h.Set("Content-Type", kind)
	page := string(b)
	if r.URL.RawQuery == "injected" {
		page = strings.Replace(page, "<form", s.injected+"<form", 1)
	}
	_, _ = fmt.Fprint(w, page)
}

func newService(t *testing.T, name, issuer, origin string, k *keyring) *httptest.Server {
	t.Helper()
	server := httptest.NewTLSServer(greeter(t, name, issuer, origin, k))
	t.Cleanup(server.Close)
	return server
}

// greeter verifies tokens against the mounted keys, and lets scripts of one origin ask.
func greeter(t *testing.T, name, issuer, origin string, k *keyring) http.Handler {
	t.Helper()
	v, err := verifier.New(verifier.Config{
		Issuers: map[string]verifier.Source{issuer: verifier.File(filepath.Join(k.Directory, "jwks.json"))}, Audience: audience, ClockSkew: time.Second,
	})
	must(t, err)
	t.Cleanup(v.Close)
	hello := v.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := verifier.FromContext(r.Context())
		_, _ = fmt.Fprintf(w, "%s: hello %s", name, token.Subject())
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Vary", "Origin")
		if r.Header.Get("Origin") == origin {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Headers", "Authorization")
		}
		if r.Method == http.MethodOptions {
			return
		}
		hello.ServeHTTP(w, r)
	})
}
