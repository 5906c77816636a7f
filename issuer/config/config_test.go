package config_test

import (
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

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

const jwk = `{kty: EC, crv: P-256, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM}`

// What stands in the wrong place may be a secret: no error quotes it.
func TestNoErrorQuotesAValue(t *testing.T) {
	for _, bad := range []string{
		"users: canary", "server: {maxConnections: canary}", "clients: canary", "clients: [canary]", "token: {lifetime: canary}", "a: `canary`",
		"a: *canary", "a: &canary [*canary]", "issuer: !canary {}", "users: !!canary x", "server: !a%20into%20canary [x]", "clients: [{claims: {? [canary] : x}}]", "token: {claims: {a: !canary {b: c}}}",
	} {
		if _, err := config.Parse([]byte(bad)); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestKeysAndIndex(t *testing.T) {
	with := strings.Replace(jwk, "{", "{alg: ES256, kid: one, ", 1)
	c, err := config.Parse([]byte(strings.Replace(right, "public: true, grantTypes: [password]", "publicKeys: ["+with+"], grantTypes: [client_credentials]", 1)))
	if err != nil {
		t.Fatal(err)
	}
	client, ok := c.Client("web")
	if set := client.KeySet(); !ok || len(set.Keys) != 1 || set.Keys[0].KeyID != "one" {
		t.Errorf("keys %+v", set)
	}
	if _, ok := c.Client("other"); ok || len(c.GrantTypes()) != 1 || c.GrantTypes()[0] != "client_credentials" {
		t.Errorf("grant types %v", c.GrantTypes())
	}
}

// weak is an RSA key that can be factored, and strong one that cannot.
func weak(t *testing.T) string   { return rsaKey(t, 1024) }
func strong(t *testing.T) string { return rsaKey(t, 2048) }

func rsaKey(t *testing.T, bits int) string {
	t.Helper()
	var private *rsa.PrivateKey
	var err error
	fips140.WithoutEnforcement(func() { private, err = rsa.GenerateKey(rand.Reader, bits) })
	if err != nil {
		t.Fatal(err)
	}
	text, err := (&jose.JSONWebKey{Key: private.Public(), Algorithm: "RS256", KeyID: "rsa"}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func exchange(fields string) string { return "tokenExchange:\n- {" + fields + "}\nclients:" }

var enc = strings.Replace(jwk, "{", "{alg: ECDH-ES+A256KW, kid: k, use: enc, ", 1)

const ldap = `{url: 'ldaps://dc', bindDN: cn=s, bindPasswordFile: /x, users: {baseDN: x, filter: '(uid={name})', subject: entryUUID, attributes: {email: mail}}}`

const database = `{host: db, database: app, user: issuer, passwordFile: /x, query: 'SELECT id AS subject, hash AS passwordHash FROM users WHERE name = $1'}`

func TestDefaultsOfPostgreSQL(t *testing.T) {
	c, err := config.Parse([]byte(strings.Replace(right, "{file: /users/users.yaml}", "{postgresql: "+database+"}", 1)))
	if err != nil {
		t.Fatal(err)
	}
	p := c.Users.PostgreSQL
	if time.Duration(p.Timeout) != 5*time.Second || p.Connections != 8 || p.TargetSessionAttrs != "any" || !slices.Equal(p.Hosts(), []string{"db:5432"}) {
		t.Errorf("got %+v", p)
	}
	several := strings.Replace(database, "host: db", "port: '1,2', host: 'a,::1'", 1)
	if c, err = config.Parse([]byte(strings.Replace(right, "{file: /users/users.yaml}", "{postgresql: "+several+"}", 1))); err != nil {
		t.Fatal(err)
	}
	if hosts := c.Users.PostgreSQL.Hosts(); !slices.Equal(hosts, []string{"a:1", "[::1]:2"}) {
		t.Errorf("got %v", hosts)
	}
}

func TestDefaultsOfLDAP(t *testing.T) {
	c, err := config.Parse([]byte(strings.Replace(right, "{file: /users/users.yaml}", "{ldap: "+ldap+"}", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if l := c.Users.LDAP; time.Duration(l.Timeout) != 5*time.Second || l.Connections != 8 || l.Groups.Name != "cn" {
		t.Errorf("%+v", l)
	}
}

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
		"version":                        {"v1alpha1", "v1", "apiVersion: must be"},
		"kind":                           {"IssuerConfiguration", "Config", "kind: must be"},
		"unknown field":                  {"issuer:", "isuer: x\nissuer:", "line 3: isuer: unknown field; did you mean issuer?"},
		"repeated field":                 {"users:", "issuer: x\nusers:", "line 7: issuer: is set twice: it is also in line 3"},
		"issuer by http":                 {"https://issuer", "http://issuer", "issuer: must be an https URL"},
		"issuer with query":              {"issuer.example.com", "issuer.example.com/?x=1", "issuer: must be an https URL"},
		"no certificate":                 {"certFile: /tls/tls.crt, ", "", "server.tls: certFile and keyFile"},
		"address":                        {"server:", "server:\n  address: nowhere", "server.address: must be host:port"},
		"metrics address":                {"server:", "server:\n  metricsAddress: \"1\"", "server.metricsAddress: must be host:port"},
		"no key":                         {"/signing-key", "", "signingKey.directory"},
		"no users":                       {"/users/users.yaml", "", "users.file: has no value"},
		"lifetime no text":               {"token:", "token:\n  lifetime: 15", "line 9: token.lifetime: must be a duration like 15m"},
		"lifetime in days":               {"token:", "token:\n  lifetime: 1d", "line 9: token.lifetime: must be a duration like 15m"},
		"lifetime too long":              {"token:", "token:\n  lifetime: 25h", "token.lifetime: must be between"},
		"lifetime zero":                  {"token:", "token:\n  lifetime: 0s", "token.lifetime: must be between"},
		"no audience":                    {"[https://shop.example.com]", "[]", "token.audiences: must name"},
		"empty audience":                 {"[https://shop.example.com]", `[""]`, "token.audiences: each audience must have"},
		"scope with space":               {"[read]", `["read write"]`, "is not a scope"},
		"client without ID":              {"id: web, ", "", "clients[0].id: must be"},
		"client with space":              {"id: web", "id: 'a b'", "clients[0].id: must be"},
		"nothing":                        {"[read]", "", "line 10: token.scopes: has no value"},
		"nothing in a list":              {"grantTypes: [password]", "grantTypes: [password], scopes: ", "line 12: clients[0].scopes: has no value"},
		"PROXY from anybody":             {"server:", "server:\n  proxyProtocol: true", "server.proxyProtocol: needs server.trustedProxies"},
		"forwarded header":               {"server:", "server:\n  forwardedHeader: X-Real-IP", "server.forwardedHeader: must be"},
		"assertion aud":                  {"public: true", "public: true, assertionAudience: tokenEndpoint", "clients[0].assertionAudience: must be"},
		"exchange: null":                 {"clients:", exchange("name: x, issuer: 'https://x', allow: "), "line 12: tokenExchange[0].allow: has no value"},
		"exchange: empty":                {"clients:", exchange("name: x, issuer: 'https://x', allow: ''"), "line 12: tokenExchange[0].allow: is empty"},
		"exchange: no sub":               {"clients:", exchange("name: x, issuer: 'https://x', subject: \"\""), "line 12: tokenExchange[0].subject: is empty"},
		"exchange: no URI":               {"clients:", exchange("name: x, issuer: ':x', keys: {file: /x}"), "tokenExchange[0].issuer: must be"},
		"exchange: with a user":          {"clients:", exchange("name: x, issuer: 'ftp://me:pw@x', keys: {file: /x}"), "tokenExchange[0].issuer: must be"},
		"client twice":                   {"- {id", "- {id: web, public: true, grantTypes: [password]}\n- {id", "is also the id of clients[0]"},
		"client neither":                 {"public: true, ", "", "needs exactly one of public: true, secretSHA256, publicKeys and certificateName"},
		"client both":                    {"public: true", "public: true, secretSHA256: '" + digest + "'", "needs exactly one of public: true, secretSHA256, publicKeys and certificateName"},
		"refresh without a key":          {"public: true", "public: true, refresh: {}", "clients[0].refresh.dpop: must be true"},
		"refresh for ever":               {"public: true", "public: true, refresh: {dpop: true, lifetime: 721h}", "clients[0].refresh.lifetime: must be between 1s and 720h0m0s"},
		"session for ever":               {"public: true", "public: true, refresh: {dpop: true, sessionLifetime: 8761h}", "clients[0].refresh.sessionLifetime: must not be shorter than refresh.lifetime"},
		"session below refresh":          {"public: true", "public: true, refresh: {dpop: true, lifetime: 2h, sessionLifetime: 1h}", "clients[0].refresh.sessionLifetime: must not be shorter than refresh.lifetime"},
		"refresh, no login":              {"grantTypes: [password]", "grantTypes: [client_credentials], refresh: {dpop: true}", "clients[0].refresh: needs password in grantTypes"},
		"nonce without a key":            {"public: true", "public: true, dpopRequireNonce: true", "clients[0].dpopRequireNonce: needs refresh"},
		"alias without TLS":              {"server:", "server:\n  tokenEndpointAliases: [\"http://x/token\"]", "server.tokenEndpointAliases"},
		"certificate, no listener":       {"public: true", "certificateName: cart.shop.svc", "clients[0].certificateName: needs server.mutualTLS"},
		"certificate of nothing":         {"public: true", "certificateName: 'a b'", "clients[0].certificateName: must be a DNS name"},
		"mutual TLS: nothing":            {"server:", "server:\n  mutualTLS: {address: x, url: http://x}", "server.mutualTLS.address: must be"},
		"mutual TLS: URL":                {"server:", "server:\n  mutualTLS: {address: ':1', url: http://x}", "server.mutualTLS.url: must be"},
		"mutual TLS: CAs":                {"server:", "server:\n  mutualTLS: {address: ':1', url: https://x/token}", "server.mutualTLS.clientCAFile: must name"},
		"reader in public":               {"public: true", "public: true, revocationList: true", "clients[0].revocationList: needs secretSHA256"},
		"secret too short":               {"public: true", "secretSHA256: abcd", "must be 64 hex digits"},
		"secret no hex":                  {"public: true", "secretSHA256: " + strings.Repeat("g", 64), "must be 64 hex digits"},
		"no grant":                       {"[password]", "[]", "must name at least one of"},
		"unknown grant":                  {"[password]", "[refresh_token]", "is not one of"},
		"proxy":                          {"server:", "server:\n  trustedProxies: [10.0.0.0]", "line 5: server.trustedProxies[0]: must be a network like"},
		"connections":                    {"server:", "server:\n  maxConnections: 0", "line 5: server.maxConnections: must be"},
		"drain":                          {"server:", "server:\n  drainFor: 2m", "server.drainFor: must be"},
		"origin with path":               {"server:", "server:\n  allowedOrigins: ['https://a/']", "server.allowedOrigins"},
		"any origin":                     {"server:", "server:\n  allowedOrigins: ['*']", "server.allowedOrigins"},
		"origins by star":                {"server:", "server:\n  allowedOrigins: ['https://*.example.com']", "server.allowedOrigins"},
		"limit":                          {"token:", "login: {failuresPerUser: {burst: 0}}\ntoken:", "line 8: login.failuresPerUser: needs"},
		"reserved claim":                 {"token:", "token:\n  claims: {sub: email}", "line 9: token.claims.sub: is reserved"},
		"claim of a secret":              {"[password]}", "[password], claims: {x: passwordHash}}", "line 12: clients[0].claims.x: looks like a secret, by its name"},
		"secret claim":                   {"[password]}", "[password], claims: {secret: x}}", "clients[0].claims.secret: looks like a secret, by its name"},
		"empty claim":                    {"[password]}", "[password], claims: {x: ''}}", "clients[0].claims: must map"},
		"no public JWK":                  {"public: true", "publicKeys: [{kty: oct, k: AAAA}]", "line 12: clients[0].publicKeys[0]: is not a public JWK"},
		"key no mapping":                 {"public: true", "publicKeys: [x]", "line 12: clients[0].publicKeys[0]: is not a public JWK"},
		"key without alg":                {"public: true", "publicKeys: [" + jwk + "]", "clients[0].publicKeys[0]: needs an alg"},
		"key for use enc":                {"public: true", "publicKeys: [" + strings.Replace(jwk, "{", "{alg: ES256, use: enc, ", 1) + "]", "clients[0].publicKeys[0]: needs an alg"},
		"key twice":                      {"public: true", "publicKeys: [" + jwk + ", " + jwk + "]", "two keys have the kid"},
		"two documents":                  {"clients:", "---\nclients:", "one YAML document"},
		"not YAML":                       {"kind:", "\tkind:", "is not YAML"},
		"ldap and file":                  {"{file: /users/users.yaml}", "{file: /x, ldap: " + ldap + "}", "users: must have only one of file, ldap and postgresql"},
		"postgresql: no host":            {"{file: /users/users.yaml}", "{postgresql: " + strings.Replace(database, "host: db, ", "", 1) + "}", "users.postgresql.host: must be a name"},
		"postgresql: a socket":           {"{file: /users/users.yaml}", "{postgresql: " + strings.Replace(database, "host: db", "host: /run/postgresql", 1) + "}", "users.postgresql.host: must be a name"},
		"postgresql: an empty host":      {"{file: /users/users.yaml}", "{postgresql: " + strings.Replace(database, "host: db", "host: 'a,,b'", 1) + "}", "users.postgresql.host: must be a name"},
		"postgresql: a host with a port": {"{file: /users/users.yaml}", "{postgresql: " + strings.Replace(database, "host: db", "host: 'me@db'", 1) + "}", "users.postgresql.host: must be a name"},
		"postgresql: no number":          {"{file: /users/users.yaml}", "{postgresql: " + strings.Replace(database, "{", "{port: x, ", 1) + "}", "users.postgresql.port: must be a number"},
		"postgresql: port 0":             {"{file: /users/users.yaml}", "{postgresql: " + strings.Replace(database, "{", "{port: 0, ", 1) + "}", "users.postgresql.port: must be a number"},
		"postgresql: too large a port":   {"{file: /users/users.yaml}", "{postgresql: " + strings.Replace(database, "{", "{port: 65536, ", 1) + "}", "users.postgresql.port: must be a number"},
		"postgresql: ports":              {"{file: /users/users.yaml}", "{postgresql: " + strings.Replace(database, "{", "{port: '1,2', ", 1) + "}", "users.postgresql.port: must be one number, or one per host"},
		"postgresql: attrs":              {"{file: /users/users.yaml}", "{postgresql: " + strings.Replace(database, "{", "{targetSessionAttrs: master, ", 1) + "}", "users.postgresql.targetSessionAttrs: must be one of any, read-write"},
		"postgresql: no database":        {"{file: /users/users.yaml}", "{postgresql: " + strings.Replace(database, "database: app, ", "", 1) + "}", "users.postgresql.database: must be set"},
		"postgresql: no user":            {"{file: /users/users.yaml}", "{postgresql: " + strings.Replace(database, "user: issuer, ", "", 1) + "}", "users.postgresql.user: must be set"},
		"postgresql: no password":        {"{file: /users/users.yaml}", "{postgresql: " + strings.Replace(database, "passwordFile: /x, ", "", 1) + "}", "users.postgresql.passwordFile: must be set"},
		"postgresql: no parameter":       {"{file: /users/users.yaml}", "{postgresql: " + strings.Replace(database, "$1", "name", 1) + "}", "users.postgresql.query: must have $1"},
		"postgresql: timeout":            {"{file: /users/users.yaml}", "{postgresql: " + strings.Replace(database, "{", "{timeout: 2m, ", 1) + "}", "users.postgresql.timeout: must be between"},
		"postgresql: connections":        {"{file: /users/users.yaml}", "{postgresql: " + strings.Replace(database, "{", "{connections: 1001, ", 1) + "}", "users.postgresql.connections: must be between"},
		"postgresql and file":            {"{file: /users/users.yaml}", "{file: /x, postgresql: " + database + "}", "users: must have only one of"},
		"ldap in the clear":              {"{file: /users/users.yaml}", "{ldap: " + strings.Replace(ldap, "ldaps://", "ldap://", 1) + "}", "users.ldap.url: must be"},
		"ldap: two TLS":                  {"{file: /users/users.yaml}", "{ldap: " + strings.Replace(ldap, "{", "{startTLS: true, ", 1) + "}", "users.ldap.url: must be"},
		"ldap: no searcher":              {"{file: /users/users.yaml}", "{ldap: " + strings.Replace(ldap, "bindDN: cn=s,", "", 1) + "}", "users.ldap.bindDN: must be set"},
		"ldap: timeout":                  {"{file: /users/users.yaml}", "{ldap: " + strings.Replace(ldap, "{", "{timeout: 2m, ", 1) + "}", "users.ldap.timeout"},
		"ldap: connections":              {"{file: /users/users.yaml}", "{ldap: " + strings.Replace(ldap, "{", "{connections: -1, ", 1) + "}", "users.ldap.connections"},
		"ldap: no base":                  {"{file: /users/users.yaml}", "{ldap: " + strings.Replace(ldap, "baseDN: x,", "", 1) + "}", "users.ldap.users: needs"},
		"ldap: any user":                 {"{file: /users/users.yaml}", "{ldap: " + strings.Replace(ldap, "{name}", "*", 1) + "}", "users.ldap.users.filter: must"},
		"ldap: groups":                   {"{file: /users/users.yaml}", "{ldap: " + strings.Replace(ldap, "{", "{groups: {baseDN: x}, ", 1) + "}", "users.ldap.groups: needs"},
		"ldap: password":                 {"{file: /users/users.yaml}", "{ldap: " + strings.Replace(ldap, "email: mail", "x: userPassword", 1) + "}", "users.ldap.users.attributes.x"},
		"exchange: nobody":               {"[password]", "['urn:ietf:params:oauth:grant-type:token-exchange']", "line 12: clients[0].subjectIssuers: must name"},
		"exchange: unknown":              {"[password]", "[password], subjectIssuers: [x]", "is not a name in tokenExchange"},
		"exchange: name":                 {"clients:", exchange("issuer: 'https://x'"), "line 12: tokenExchange[0].name: must"},
		"exchange: clients":              {"clients:", exchange("name: client, issuer: 'https://x'"), "tokenExchange[0].name: must not be client"},
		"exchange: http":                 {"clients:", exchange("name: x, issuer: 'http://x'"), "tokenExchange[0].issuer: must be"},
		"exchange: self":                 {"clients:", exchange("name: x, issuer: 'https://issuer.example.com'"), "tokenExchange[0].issuer: must differ from issuer"},
		"exchange: keys":                 {"clients:", exchange("name: x, issuer: 'https://x', keys: {url: 'http://x'}"), "tokenExchange[0].keys: must have either file or url"},
		"exchange: two":                  {"clients:", exchange("name: x, issuer: 'https://x', keys: {url: 'https://x', file: /x}"), "tokenExchange[0].keys: must have either file or url"},
		"exchange: allow":                {"clients:", exchange("name: x, issuer: 'https://x', allow: '1'"), "tokenExchange[0].allow: is not a valid CEL"},
		"exchange: subject":              {"clients:", exchange("name: x, issuer: 'https://x', subject: 'claim.sub'"), "tokenExchange[0].subject: is not a valid CEL"},
		"exchange: claim":                {"clients:", exchange("name: x, issuer: 'https://x', claims: {sub: claims.sub}"), "tokenExchange[0].claims.sub: is reserved"},
		"weak RSA key":                   {"public: true", "publicKeys: [" + weak(t) + "]", "clients[0].publicKeys[0]: must be an RSA key of 2048 to 8192 bits"},
		"client: use sig":                {"public: true", "public: true, encryptionKey: " + strings.Replace(enc, "enc", "sig", 1), "line 12: clients[0].encryptionKey: needs"},
		"client: and aud":                {right[strings.Index(right, "token:"):], "token:\n  audiences: [a]\n  encryption: [{audience: a, key: " + enc + "}]\nclients:\n- {id: web, public: true, grantTypes: [password], encryptionKey: " + enc + "}\n", "clients[0].encryptionKey: conflicts with token.encryption"},
		"encrypt: nobody":                {"token:", "token:\n  encryption: [{key: " + enc + "}]", "token.encryption[0].audience: must be"},
		"encrypt: twice":                 {"token:", "token:\n  encryption: [{audience: a, key: " + enc + "}, {audience: a, key: " + enc + "}]", "token.encryption[1].audience: is also"},
		"encrypt: no key":                {"token:", "token:\n  encryption: [{audience: a}]", "token.encryption[0].key: needs"},
		"encrypt: use sig":               {"token:", "token:\n  encryption: [{audience: a, key: " + strings.Replace(enc, "enc", "sig", 1) + "}]", "token.encryption[0].key: needs"},
		"encrypt: alg":                   {"token:", "token:\n  encryption: [{audience: a, key: " + strings.Replace(enc, "ECDH-ES+A256KW", "ECDH-ES", 1) + "}]", "token.encryption[0].key: needs"},
		"encrypt: exponent":              {"token:", "token:\n  encryption: [{audience: a, key: " + strings.NewReplacer(`"RS256"`, `"RSA-OAEP-256","use":"enc"`, "AQAB", "Aw").Replace(strong(t)) + "}]", "token.encryption[0].key: needs"},
		"encrypt: no kid":                {"token:", "token:\n  encryption: [{audience: a, key: " + strings.Replace(enc, "kid: k, ", "", 1) + "}]", "token.encryption[0].key: needs"},
		"issuer: user":                   {"https://issuer", "https://me@issuer", "issuer: must be an https URL"},
		"issuer: braces":                 {"issuer.example.com", "issuer.example.com/{a}", "issuer: must be an https URL"},
		"issuer: escapes":                {"issuer.example.com", "issuer.example.com/%7Ba%7D", "issuer: must be an https URL"},
		"issuer: empty":                  {"issuer.example.com", "issuer.example.com//a", "issuer: must be an https URL"},
		"issuer: end":                    {"issuer.example.com", "issuer.example.com/a//", "issuer: must be an https URL"},
		"issuer: dots":                   {"issuer.example.com", "issuer.example.com/a/../b", "issuer: must be an https URL"},
		"issuer: a dot":                  {"issuer.example.com", "issuer.example.com/./b", "issuer: must be an https URL"},
		"issuer: query":                  {"issuer.example.com", "issuer.example.com/a?", "issuer: must be an https URL"},
		"ldap: a user":                   {"{file: /users/users.yaml}", "{ldap: " + strings.Replace(ldap, "ldaps://", "ldaps://me:pw@", 1) + "}", "users.ldap.url: must be"},
		"exchange: a user":               {"clients:", exchange("name: x, issuer: 'https://me:pw@x'"), "tokenExchange[0].issuer: must be"},
		"exchange: a host":               {"clients:", exchange("name: x, issuer: 'https:///x'"), "tokenExchange[0].issuer: must be"},
		"exchange: user":                 {"clients:", exchange("name: x, issuer: 'https://x', keys: {url: 'https://me:pw@x'}"), "tokenExchange[0].keys: must have either file or url"},
		"exchange: token":                {"clients:", exchange("name: x, issuer: 'https://x', keys: {tokenFile: /x}"), "line 12: tokenExchange[0].keys.tokenFile: needs keys.url"},
		"exchange: SUB":                  {"clients:", exchange("name: x, issuer: 'https://x', claims: {SUB: claims.sub}"), "tokenExchange[0].claims.SUB: is reserved"},
		"no audiences":                   {"[password]}", "[password], audiences: []}", "clients[0].audiences: must name"},
		"another curve":                  {"public: true", "publicKeys: [" + strings.Replace(jwk, "{", "{alg: ES384, ", 1) + "]", "clients[0].publicKeys[0]: needs an alg"},
		"small exponent":                 {"public: true", "publicKeys: [" + strings.Replace(strong(t), "AQAB", "Aw", 1) + "]", "clients[0].publicKeys[0]: must be an RSA key of 2048"},
		"public client":                  {"[password]", "[client_credentials]", "a public client cannot use"},
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

// An empty list says that there are none; no list says that those of token are meant.
func TestNoScopes(t *testing.T) {
	for field, want := range map[string]int{"": 1, ", scopes: []": 0, ", scopes: [a, b]": 2} {
		c, err := config.Parse([]byte(strings.Replace(right, "[password]}", "[password]"+field+"}", 1)))
		if err != nil {
			t.Fatal(err)
		}
		if web, _ := c.Client("web"); len(web.Scopes) != want {
			t.Errorf("with %q the client has %v", field, web.Scopes)
		}
	}
}

func TestIssuersWithAPath(t *testing.T) {
	for _, path := range []string{"", "/", "/a", "/a/", "/realms/shop-1/~b_c", ":8443/a"} {
		if _, err := config.Parse([]byte(strings.Replace(right, "issuer.example.com", "issuer.example.com"+path, 1))); err != nil {
			t.Errorf("%s: %v", path, err)
		}
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
		if err != nil {
			return
		}
		if c.Issuer == "" || len(c.Token.Audiences) == 0 || c.Server.TLS.KeyFile == "" {
			t.Errorf("accepted %+v", c)
		}
		u, err := url.Parse(c.Issuer)
		if err != nil {
			t.Fatal(err)
		}
		http.NewServeMux().Handle("POST "+strings.TrimSuffix(u.Path, "/")+"/token", http.NotFoundHandler()) // must not panic
	})
}

func TestDeployedConfigurationIsValid(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "config", "issuer", "issuer.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.Parse(b); err != nil {
		t.Error(err)
	}
}
