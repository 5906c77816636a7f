package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/issuer/config"
)

const right = `apiVersion: issuer.keywright.dev/v1alpha1
kind: IssuerConfiguration
issuer: https://issuer.example.com
server:
  tls: {certFile: /tls/tls.crt, keyFile: /tls/tls.key}
signingKey: {directory: /signing-key}
users: {file: /users/users.yaml}
token:
  audiences: [https://shop.example.com]
  scopes: [read]
clients:
- {id: web, public: true, grantTypes: [password]}
`

func TestDefaults(t *testing.T) {
	c, err := config.Parse([]byte(right))
	if err != nil {
		t.Fatal(err)
	}
	if c.Server.Address != ":8443" || c.Server.MetricsAddress != ":8081" || time.Duration(c.Token.Lifetime) != 15*time.Minute {
		t.Errorf("defaults %+v", c)
	}
	web, ok := c.Client("web")
	if !ok || len(web.Audiences) != 1 || len(web.Scopes) != 1 {
		t.Errorf("the client inherits %+v", web)
	}
}

func TestEveryMistakeIsNamed(t *testing.T) {
	digest := strings.Repeat("0", 64)
	for name, c := range map[string]struct{ was, is, says string }{
		"version":           {"v1alpha1", "v1", "apiVersion: must be"},
		"kind":              {"IssuerConfiguration", "Config", "kind: must be"},
		"unknown field":     {"issuer:", "isuer: x\nissuer:", `unknown field "isuer"`},
		"repeated field":    {"users:", "issuer: x\nusers:", `key "issuer" already set`},
		"issuer by http":    {"https://issuer", "http://issuer", "issuer: must be an https URL"},
		"issuer with query": {"issuer.example.com", "issuer.example.com/?x=1", "issuer: must be an https URL"},
		"no certificate":    {"certFile: /tls/tls.crt, ", "", "server.tls: certFile and keyFile"},
		"address":           {"server:", "server:\n  address: nowhere", "server.address: must be host:port"},
		"metrics address":   {"server:", "server:\n  metricsAddress: \"1\"", "server.metricsAddress: must be host:port"},
		"no key":            {"/signing-key", "", "signingKey.directory"},
		"no users":          {"/users/users.yaml", "", "users.file: must be set"},
		"lifetime no text":  {"token:", "token:\n  lifetime: 15", "a string like 15m"},
		"lifetime in days":  {"token:", "token:\n  lifetime: 1d", "unknown unit"},
		"lifetime too long": {"token:", "token:\n  lifetime: 25h", "token.lifetime: must be between"},
		"lifetime zero":     {"token:", "token:\n  lifetime: 0s", "token.lifetime: must be between"},
		"no audience":       {"[https://shop.example.com]", "[]", "token.audiences: must name"},
		"empty audience":    {"[https://shop.example.com]", `[""]`, "token.audiences: must have"},
		"scope with space":  {"[read]", `["read write"]`, "is not a scope"},
		"client without ID": {"id: web, ", "", "clients[0].id: must be"},
		"client with colon": {"id: web", "id: 'a:b'", "clients[0].id: must be"},
		"client twice":      {"- {id", "- {id: web, public: true, grantTypes: [password]}\n- {id", "is also the id of clients[0]"},
		"client neither":    {"public: true, ", "", "needs either public: true or a secretSHA256"},
		"client both":       {"public: true", "public: true, secretSHA256: '" + digest + "'", "needs either public: true or a secretSHA256"},
		"secret too short":  {"public: true", "secretSHA256: abcd", "must be 64 hex digits"},
		"secret no hex":     {"public: true", "secretSHA256: " + strings.Repeat("g", 64), "must be 64 hex digits"},
		"no grant":          {"[password]", "[]", "must name at least one of"},
		"unknown grant":     {"[password]", "[refresh_token]", "is not one of"},
		"public client":     {"[password]", "[client_credentials]", "a public client cannot use"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(right, c.was, c.is, 1)
			if changed == right {
				t.Fatal("the case changes nothing")
			}
			if _, err := config.Parse([]byte(changed)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("want %q, got: %v", c.says, err)
			}
		})
	}
}

func TestAllMistakesAreNamedAtOnce(t *testing.T) {
	_, err := config.Parse([]byte("kind: x\n"))
	for _, field := range []string{"apiVersion", "kind", "issuer", "server.tls", "signingKey.directory", "token.audiences"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not named in: %v", field, err)
		}
	}
}

func TestTooLong(t *testing.T) {
	if _, err := config.Parse([]byte(right + strings.Repeat("#", config.MaxBytes))); err == nil {
		t.Error("accepted")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(right))
	f.Add([]byte("{}"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := config.Parse(b)
		if err == nil && (c.Issuer == "" || len(c.Token.Audiences) == 0 || c.Server.TLS.KeyFile == "") {
			t.Errorf("accepted %+v", c)
		}
	})
}

func TestDeployedConfigurationIsRight(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "config", "issuer", "issuer.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Parse(b); err != nil {
		t.Error(err)
	}
}
