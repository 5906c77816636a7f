package server_test

import (
	"encoding/json"
	"encoding/pem"
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

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/api/jwks"
	"github.com/keywright/keywright/verifier/verifiertest"
)

const exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"

// provider is an OpenID provider whose tokens are exchanged.
type provider struct {
	*world
	server *httptest.Server
	key    jose.JSONWebKey
	ca     string
	// keys is what jwks_uri answers.
	keys atomic.Pointer[string]
	// asked counts the questions for keys.
	asked atomic.Int64
}

func newProvider(w *world) *provider {
	w.Helper()
	p := &provider{world: w}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(answer http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(answer, `{"issuer":%q,"jwks_uri":%q}`, p.server.URL, p.server.URL+"/keys")
	})
	mux.HandleFunc("GET /keys", func(answer http.ResponseWriter, _ *http.Request) {
		p.asked.Add(1)
		_, _ = fmt.Fprint(answer, *p.keys.Load())
	})
	p.server = httptest.NewTLSServer(mux)
	w.Cleanup(p.server.Close)
	p.ca = filepath.Join(w.TempDir(), "ca.crt")
	w.must(os.WriteFile(p.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw}), 0o600))
	p.rotate()
	return p
}

// rotate makes a new key and publishes it alone.
func (p *provider) rotate() {
	p.Helper()
	p.key = jwkOf(p.T, "ES256", newKey(p.T))
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{p.key.Public()}})
	p.must(err)
	text := string(set)
	p.keys.Store(&text)
}

// config has a client "pods" that exchanges the provider's tokens.
func (p *provider) config() string {
	return p.world.config() + fmt.Sprintf(`- {id: pods, public: true, grantTypes: ["%s"], subjectIssuers: [them], scopes: [read]}
- {id: none, public: true, grantTypes: ["%[1]s"], subjectIssuers: [other]}
tokenExchange:
- name: them
  issuer: %s
  keys: {caFile: %s}
  allow: claims.?blocked.orValue(false) != true
  subject: '"them/" + claims.sub'
  claims: {team: 'claims.?team', roles: 'claims.?roles', all: 'claims.?nested'}
- {name: other, issuer: "https://other.example.com", keys: {file: /nowhere}}
`, exchangeGrant, p.server.URL, p.ca)
}

// token is a right one, but for the changes.
func (p *provider) token(changes map[string]any) string {
	p.Helper()
	claims := map[string]any{"iss": p.server.URL, "sub": "cart", "aud": issuerURL, "exp": time.Now().Add(time.Hour).Unix(), "team": "shop", "roles": []string{"a", "b"}}
	for claim, value := range changes {
		claims[claim] = value
		if value == nil {
			delete(claims, claim)
		}
	}
	text, err := json.Marshal(claims)
	p.must(err)
	return p.assertion(p.key, string(text))
}

func (p *provider) exchange(token string, more ...string) reply {
	p.Helper()
	return p.post(exchangeForm("pods", token, more...))
}

func exchangeForm(client, token string, more ...string) string {
	return form(append([]string{
		"grant_type", exchangeGrant, "client_id", client, "subject_token", token, "subject_token_type", "urn:ietf:params:oauth:token-type:jwt",
	}, more...)...)
}

func newExchange(t *testing.T) *provider {
	t.Helper()
	w := prepare(t)
	p := newProvider(w)
	w.settings.write(map[string]string{"issuer.yaml": p.config()})
	w.useKey("ES256", newKey(t))
	w.start()
	return p
}

func TestTokenExchange(t *testing.T) {
	t.Parallel()
	p := newExchange(t)
	r := p.exchange(p.token(nil))
	if r.status != http.StatusOK || r.fields["issued_token_type"] != "urn:ietf:params:oauth:token-type:access_token" || r.fields["token_type"] != "Bearer" {
		t.Fatalf("%d %s\n%s", r.status, r.body, p.audit)
	}
	token := p.verify(r.fields["access_token"].(string), audience)
	var claims struct {
		Team  string   `json:"team"`
		Roles []string `json:"roles"`
		All   any      `json:"all"`
	}
	p.must(token.Claims(&claims))
	if token.Subject() != "them/cart" || token.ClientID() != "pods" || claims.Team != "shop" || !slices.Equal(claims.Roles, []string{"a", "b"}) || claims.All != nil {
		t.Errorf("%s %+v", token.Subject(), claims)
	}
	if r.fields["expires_in"] != 300.0 || !slices.Equal(token.Scopes(), []string{"read"}) {
		t.Errorf("%s", r.body)
	}
	short := p.exchange(p.token(map[string]any{"exp": time.Now().Add(90 * time.Second).Unix()}))
	if lives, _ := short.fields["expires_in"].(float64); lives < 80 || lives > 90 {
		t.Errorf("it outlives what came in: %s", short.body)
	}
	if again := p.exchange(p.token(nil), "requested_token_type", "urn:ietf:params:oauth:token-type:jwt", "resource", audience); again.status != http.StatusOK {
		t.Errorf("with all that may be asked for: %s", again.body)
	}
}

func TestTokenExchangeRefuses(t *testing.T) {
	t.Parallel()
	p := newExchange(t)
	good := p.token(nil)
	for name, c := range map[string]struct {
		form, code, reason string
	}{
		"another audience":     {exchangeForm("pods", p.token(map[string]any{"aud": "x"})), "invalid_request", "its aud"},
		"no audience":          {exchangeForm("pods", p.token(map[string]any{"aud": nil})), "invalid_request", "its aud"},
		"expired":              {exchangeForm("pods", p.token(map[string]any{"exp": time.Now().Add(-time.Minute).Unix()})), "invalid_request", "it has expired"},
		"expired just now":     {exchangeForm("pods", p.token(map[string]any{"exp": time.Now().Add(-time.Second).Unix()})), "invalid_request", "the subject token has expired"},
		"no expiry":            {exchangeForm("pods", p.token(map[string]any{"exp": nil})), "invalid_request", "no exp"},
		"not allowed":          {exchangeForm("pods", p.token(map[string]any{"blocked": true})), "invalid_request", "allow is false for this token"},
		"a hidden claim":       {exchangeForm("pods", p.token(map[string]any{"nested": map[string]any{"password": "canary"}})), "server_error", "could not be created"},
		"a strange sub":        {exchangeForm("pods", p.token(map[string]any{"sub": "a\u200bb"})), "invalid_request", "the subject is not a valid sub"},
		"unknown issuer":       {exchangeForm("pods", p.token(map[string]any{"iss": "https://evil.example.com"})), "invalid_request", "this client may not exchange tokens of that issuer"},
		"a forged one":         {exchangeForm("pods", good[:len(good)-6]+"AAAAAA"), "invalid_request", "signature"},
		"no JWT":               {exchangeForm("pods", "x"), "invalid_request", "compact form"},
		"no token":             {exchangeForm("pods", ""), "invalid_request", "are required"},
		"another type":         {form("grant_type", exchangeGrant, "client_id", "pods", "subject_token", good, "subject_token_type", "urn:ietf:params:oauth:token-type:saml2"), "invalid_request", "subject_token_type"},
		"no type":              {form("grant_type", exchangeGrant, "client_id", "pods", "subject_token", good), "invalid_request", "are required"},
		"for a refresh":        {exchangeForm("pods", good, "requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"), "invalid_request", "requested_token_type must be"},
		"with an actor":        {exchangeForm("pods", good, "actor_token", good), "invalid_request", "delegation"},
		"with an actor's type": {exchangeForm("pods", good, "actor_token_type", "urn:ietf:params:oauth:token-type:jwt"), "invalid_request", "not allowed without actor_token"},
		"another target":       {exchangeForm("pods", good, "audience", "x"), "invalid_target", "audience is not allowed"},
		"another scope":        {exchangeForm("pods", good, "scope", "write"), "invalid_scope", "a requested scope is not allowed"},
		"another client":       {exchangeForm("web", good), "unauthorized_client", "may not use this grant type"},
		"of other issuers":     {exchangeForm("none", good), "invalid_request", "this client may not exchange tokens of that issuer"},
	} {
		r, reason := p.decided(c.form)
		if r.fields["error"] != c.code || !strings.Contains(reason, c.reason) || strings.Contains(r.body, "canary") {
			t.Errorf("%s: %d %s, because %q", name, r.status, r.body, reason)
		}
	}
	if strings.Contains(p.audit.String()+p.log.String(), good) || strings.Contains(p.audit.String()+p.log.String(), "canary") {
		t.Error("a token is in a log")
	}
}

// Our own tokens are not exchanged: their lifetime would never end.
func TestOwnTokensAreNotExchanged(t *testing.T) {
	t.Parallel()
	p := newExchange(t)
	own, _ := p.post(alice()).fields["access_token"].(string)
	if r := p.exchange(own); r.fields["error"] != "invalid_request" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestTrustedKeysRotateAndTheLastGoodStay(t *testing.T) {
	t.Parallel()
	p := newExchange(t)
	old := p.token(nil)
	if r := p.exchange(old); r.status != http.StatusOK {
		t.Fatal(r.body)
	}
	p.rotate()
	if r := p.exchange(p.token(nil)); r.status != http.StatusOK {
		t.Errorf("a new key: %s\n%s", r.body, p.audit)
	}
	if r := p.exchange(old); r.fields["error"] != "invalid_request" {
		t.Errorf("the old key: %s", r.body)
	}
	p.keys.Store(new("not JSON"))
	if r := p.exchange(p.token(nil)); r.status != http.StatusOK {
		t.Errorf("the last good keys did not stay: %s", r.body)
	}
	asked := p.asked.Load()
	stranger := jwkOf(t, "ES256", newKey(t))
	unknown := exchangeForm("pods", p.assertion(stranger, `{"iss":"`+p.server.URL+`"}`))
	p.until("all decided", func() bool { return strings.Count(p.audit.String(), "\n") == 4 })
	for range 20 {
		if r, reason := p.decided(unknown); r.fields["error"] != "invalid_request" || !strings.Contains(reason, "its key is unknown") {
			t.Errorf("an unknown key: %d %s, because %q", r.status, r.body, reason)
		}
	}
	if more := p.asked.Load() - asked; more > 2 {
		t.Errorf("unknown keys made us ask %d times", more)
	}
}

// While the keys of a trusted issuer cannot be read, a token with a new kid is not a bad one: whoever is told so throws it away.
func TestNewKeyOfATrustedIssuerThatIsDown(t *testing.T) {
	t.Parallel()
	p := newExchange(t)
	old := p.token(nil)
	if r := p.exchange(old); r.status != http.StatusOK {
		t.Fatal(r.body)
	}
	p.rotate()
	p.keys.Store(new("not JSON"))
	for range 3 {
		r := p.exchange(p.token(nil))
		if r.status != http.StatusServiceUnavailable || r.fields["error"] != "temporarily_unavailable" || r.header.Get("Retry-After") == "" {
			t.Errorf("a new key: %d %s %v", r.status, r.body, r.header)
		}
	}
	if r := p.exchange(p.token(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})); r.fields["error"] != "invalid_request" {
		t.Errorf("expired: %d %s", r.status, r.body)
	}
	if r := p.exchange(old); r.status != http.StatusOK {
		t.Errorf("a key that is known: %d %s", r.status, r.body)
	}
}

func TestTrustedIssuerThatIsDown(t *testing.T) {
	t.Parallel()
	p := newExchange(t)
	p.until("the keys read at the start", func() bool { return p.asked.Load() > 0 })
	unreachable := p.post(form("grant_type", exchangeGrant, "client_id", "none", "subject_token", p.token(map[string]any{"iss": "https://other.example.com"}),
		"subject_token_type", "urn:ietf:params:oauth:token-type:jwt"))
	if unreachable.status != http.StatusServiceUnavailable || unreachable.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", unreachable.status, unreachable.body)
	}
	p.until("reported", func() bool {
		return strings.Contains(p.get(p.probes+"/metrics").body, `keywright_issuer_source_failing{source="keys of other"} 1`)
	})
	if r := p.post(alice()); r.status != http.StatusOK {
		t.Errorf("other grants: %s", r.body)
	}
}

// The file of a TrustedIssuer, as the controller writes it, is what tokens are checked against: the issuer then asks nobody.
func TestExchangeByTheFileOfATrustedIssuer(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	p := newProvider(w)
	mount := &volume{T: t, Volume: verifiertest.Volume{Directory: t.TempDir()}}
	write := func() {
		keys, _, err := jwks.Publish([]byte(*p.keys.Load()), jwks.Rules{Issuer: p.server.URL})
		p.must(err)
		mount.write(map[string]string{"them.json": string(jwks.EncodeFile(keys, "ES256"))})
	}
	write()
	w.settings.write(map[string]string{"issuer.yaml": strings.Replace(p.config(), "keys: {caFile: "+p.ca+"}", "keys: {file: "+mount.Directory+"/them.json}", 1)})
	w.useKey("ES256", newKey(t))
	w.start()
	old := p.token(nil)
	if r := p.exchange(old); r.status != http.StatusOK {
		t.Fatalf("%d %s\n%s", r.status, r.body, p.audit)
	}
	p.rotate()
	write()
	p.until("the new key", func() bool { return p.exchange(p.token(nil)).status == http.StatusOK })
	if r := p.exchange(old); r.fields["error"] != "invalid_request" {
		t.Errorf("a key that was withdrawn: %s", r.body)
	}
	mount.write(map[string]string{"them.json": string(issuerfiles.Tombstone("ES256"))})
	p.until("the end of the TrustedIssuer", func() bool { return p.exchange(p.token(nil)).fields["error"] == "invalid_request" })
	if n := p.asked.Load(); n > 0 {
		t.Errorf("the issuer was asked for its keys %d times", n)
	}
}
