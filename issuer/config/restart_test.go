package config_test

import (
	"strings"
	"testing"

	"github.com/keywright/keywright/issuer/config"
)

// What a running issuer cannot take over is named, and all else is taken over.
func TestNeedsRestart(t *testing.T) {
	base := strings.Replace(right, "server:", "tokenExchange:\n- {name: x, issuer: 'https://x', keys: {file: /x}}\nserver:\n  maxConnections: 5", 1)
	parse := func(text string) *config.Config {
		c, err := config.Parse([]byte(text))
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		return c
	}
	for _, c := range []struct{ was, is, field string }{
		{"issuer.example.com", "other.example.com", "issuer"},
		{"server:", "server:\n  address: :1", "server.address"},
		{"server:", "server:\n  metricsAddress: :1", "server.metricsAddress"},
		{"/tls/tls.crt", "/tls/other.crt", "server.tls"},
		{"maxConnections: 5", "maxConnections: 6", "server.maxConnections"},
		{"server:", "server:\n  pprof: true", "server.pprof"},
		{"/signing-key", "/other", "signingKey.directory"},
		{"/signing-key", "/signing-key, keySetDirectory: /other", "signingKey.keySetDirectory"},
		{"{file: /users/users.yaml}", "{file: /other}", "users"},
		{"{file: /users/users.yaml}", "{ldap: " + ldap + "}", "users"},
		{"{file: /users/users.yaml}", "{postgresql: " + database + "}", "users"},
		{"clients:", "login: {failuresPerUser: {burst: 9, every: 1s}}\nclients:", "login"},
		{"{file: /x}", "{file: /y}", "tokenExchange[].name, issuer or keys"},
		{"- {name: x", "- {name: y", "tokenExchange[].name, issuer or keys"},
		{"keys: {file: /x}}", "keys: {file: /x}, allow: 'true'}", ""},
		{"server:", "server:\n  allowedOrigins: ['https://a']\n  trustedProxies: [10.0.0.0/8]\n  proxyProtocol: true\n  drainFor: 1s", ""},
		{"clients:", "clients:\n- {id: new, public: true, grantTypes: [password], claims: {a: b}}", ""},
		{"scopes: [read]", "scopes: [write]", ""},
	} {
		changed := strings.Replace(base, c.was, c.is, 1)
		if changed == base {
			t.Fatalf("%s changes nothing", c.is)
		}
		if field := parse(base).NeedsRestart(parse(changed)); field != c.field {
			t.Errorf("%s needs a restart for %q, want %q", c.is, field, c.field)
		}
	}
}

func TestMap(t *testing.T) {
	c, err := config.Parse([]byte(strings.Replace(right, "clients:", exchange(`name: x, issuer: 'https://x', claims: {team: 'claims.team'}`), 1)))
	if err != nil {
		t.Fatal(err)
	}
	trusted := &c.TokenExchange[0]
	if trusted.Audience != "https://issuer.example.com" {
		t.Errorf("its audience is %s", trusted.Audience)
	}
	mapped, err := trusted.Map(map[string]any{"sub": "me", "team": "shop"})
	if err != nil || mapped.Subject != "x:me" || mapped.Claims["team"] != "shop" {
		t.Errorf("%+v %v", mapped, err)
	}
	if _, err := trusted.Map(map[string]any{"sub": "me"}); err == nil {
		t.Error("a claim without a value")
	}
	for _, sub := range []string{"a\x00b", "a\u202eb", strings.Repeat("x", 254), "\xff"} {
		if _, err := trusted.Map(map[string]any{"sub": sub, "team": "x"}); err == nil {
			t.Errorf("accepted the sub %q", sub)
		}
	}
}
