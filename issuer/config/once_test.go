package config_test

import (
	"crypto/fips140"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/keywright/keywright/issuer/config"
)

// full has every field once, or nearly, but for what the FIPS 140-3 mode refuses, as TestEncryptionInFIPSMode asserts.
var full = func() string {
	if !fips140.Enforced() {
		return everything
	}
	return regexp.MustCompile(`(?m)^  encryption:\n.*\n.*\n|^  encryptionKey: .*\n`).ReplaceAllString(everything, "")
}()

var everything = `apiVersion: issuer.keywright.dev/v1alpha1
kind: IssuerConfiguration
issuer: https://issuer.example.com
server:
  address: :8443
  metricsAddress: :8081
  tls: {certFile: /tls/tls.crt, keyFile: /tls/tls.key}
  mutualTLS: {address: ':8444', url: https://mtls.example.com/token, clientCAFile: /ca.crt}
  maxConnections: 100
  trustedProxies: [10.0.0.0/8]
  proxyProtocol: true
  forwardedHeader: Forwarded
  tokenEndpointAliases: [https://alias.example.com/token]
  allowedOrigins: [https://app.example.com]
  drainFor: 5s
  pprof: true
signingKey: {directory: /signing-key, keySetDirectory: /jwks}
users:
  ldap:
    url: ldap://dc
    startTLS: true
    caFile: /ca.crt
    bindDN: cn=s
    bindPasswordFile: /password
    timeout: 5s
    connections: 4
    users: {baseDN: dc=x, filter: '(uid={name})', subject: entryUUID, passwordChanged: pwdChangedTime, attributes: {email: mail, kind: {attribute: employeeType, list: true}}}
    groups: {baseDN: dc=x, filter: '(member={dn})', name: cn, nested: true}
login:
  failuresPerUser: {burst: 5, every: 10s}
  failuresPerNetwork: {burst: 50, every: 1s}
token:
  lifetime: 10m
  audiences: [https://shop.example.com]
  scopes: [read, write]
  claims: {mail: email}
  encryption:
  - audience: https://secret.example.com
    key: ` + enc + `
tokenExchange:
- name: them
  issuer: https://them.example.com
  audience: us
  keys: {url: https://them.example.com/jwks, caFile: /ca.crt, tokenFile: /token}
  allow: claims.sub != ""
  subject: claims.sub
  claims: {team: claims.team}
clients:
- id: web
  public: true
  grantTypes: [password, urn:ietf:params:oauth:grant-type:token-exchange]
  subjectIssuers: [them]
  refresh: {lifetime: 12h, sessionLifetime: 24h, dpop: true}
  dpopBoundAccessTokens: true
  dpopRequireNonce: true
  audiences: [https://shop.example.com]
  scopes: [read]
  claims: {mail: email}
- id: batch
  secretSHA256: ` + strings.Repeat("0", 64) + `
  grantTypes: [client_credentials]
  revocationList: true
  encryptionKey: ` + enc + `
- id: robot
  publicKeys: [` + strings.Replace(jwk, "{", "{alg: ES256, kid: one, ", 1) + `]
  assertionAudience: tokenEndpoint
  grantTypes: [client_credentials]
- id: cart
  certificateName: spiffe://cluster.local/ns/shop/sa/cart
  grantTypes: [client_credentials]
`

// A mistake is said once, whatever else follows from it: at its line, with its field and, if a name is misspelt, with the right one.
func TestAMistakeIsSaidOnce(t *testing.T) {
	saysOnce(t, full, 70)
	ldap, login := strings.Index(full, "  ldap:"), strings.Index(full, "login:")
	saysOnce(t, full[:ldap]+"  file: /users.yaml\n"+full[login:], 50)
	saysOnce(t, full[:ldap]+`  postgresql:
    host: a,b
    port: 5432
    targetSessionAttrs: read-write
    database: app
    user: issuer
    passwordFile: /password
    caFile: /ca.crt
    query: SELECT id AS subject, hash AS passwordHash FROM users WHERE name = $1
    timeout: 5s
    connections: 4
`+full[login:], 60)
}

func saysOnce(t *testing.T, full string, fields int) {
	t.Helper()
	if _, err := config.Parse([]byte(full)); err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(full), &document); err != nil {
		t.Fatal(err)
	}
	tried := 0
	eachField(document.Content[0], "", func(path string, key, value *yaml.Node) {
		name, was := key.Value, *value
		says := func(how, want string) {
			t.Helper()
			b, err := yaml.Marshal(&document)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = config.Parse(b); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s %s: want %q and no more, got:\n%v", path, how, want, err)
			}
			tried++
		}
		key.Value += name[len(name)-1:]
		says("misspelt", fmt.Sprintf(": %s%s: unknown field; did you mean %s?", path, name[len(name)-1:], name))
		key.Value = name
		*value = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
		says("without a value", ": "+path+": has no value")
		*value = yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{{Kind: yaml.SequenceNode}}}
		if was.Kind == yaml.SequenceNode {
			*value = yaml.Node{Kind: yaml.MappingNode}
		}
		says("of another type", ": "+path)
		*value = was
		key.Value = name
	})
	if tried < 3*fields {
		t.Errorf("%d mistakes tried", tried)
	}
}

// eachField visits the fields of a mapping and of all within it. Keys, claims and attributes have names of their own.
func eachField(node *yaml.Node, path string, visit func(path string, key, value *yaml.Node)) {
	if node.Kind == yaml.SequenceNode {
		for i, element := range node.Content {
			eachField(element, fmt.Sprintf("%s[%d]", path, i), visit)
		}
	}
	if node.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		visit(at, key, value)
		switch key.Value {
		case "claims", "attributes", "key", "encryptionKey", "publicKeys":
		default:
			eachField(value, at, visit)
		}
	}
}

// What stands behind an element that could not be read keeps its number.
func TestElementsKeepTheirNumbers(t *testing.T) {
	for first, says := range map[string]string{"text": "clients[0]: must be a mapping", "~": "clients[0]: has no value"} {
		_, err := config.Parse([]byte(strings.Replace(right, "- {id: web", "- "+first+"\n- {id: 'a b'", 1)))
		if err == nil || !strings.Contains(err.Error(), "line 12: "+says) || !strings.Contains(err.Error(), "line 13: clients[1].id: must be") || strings.Count(err.Error(), "\n") != 1 {
			t.Errorf("%s: %v", first, err)
		}
	}
}

func TestMistakesOfOneValueAreSaidOnce(t *testing.T) {
	for name, c := range map[string]struct{ was, is, says string }{
		"no users":           {"{id: web", "{id: a, public: true, grantTypes: [password]}\n- {id: web", "users: must be set, with one of file, ldap and postgresql: clients[0] may use"},
		"inherited audience": {"[https://shop.example.com]", "[]", "token.audiences: must name"},
		"inherited scope":    {"[read]", "[read, 'a b']", "token.scopes: \"a b\" is not a scope"},
		"inherited claim":    {"token:", "token:\n  claims: {sub: email}", "token.claims.sub: is reserved"},
		"grant":              {"[password]", "[pasword], refresh: {dpop: true}", "clients[0].grantTypes: \"pasword\" is not one of [password client_credentials urn:ietf:params:oauth:grant-type:token-exchange]; did you mean password?"},
		"lifetime":           {"[password]", "[password], refresh: {dpop: true, lifetime: 9000h}", "clients[0].refresh.lifetime: must be between 1s and"},
		"list":               {"[read]", "[read, {a: b}]", "token.scopes[1]: must be a string"},
		"empty element":      {"[read]", "[read, ~]", "token.scopes[1]: has no value"},
		"client of text":     {"- {id: web", "- text\n- {id: web", "clients[0]: must be a mapping"},
		"number":             {"server:", "server:\n  maxConnections: many", "server.maxConnections: must be a whole number"},
		"elsewhere":          {"[password]", "[password], maxConnections: 7", "clients[0].maxConnections: unknown field here; the known fields are assertionAudience"},
		"maybe a secret":     {"[password]", "[password], canary: 7", "clients[0]: unknown field; the known fields are assertionAudience"},
		"key of a list":      {"[password]", "[password], [canary]: 7", "clients[0]: must have names that are strings"},
		"an attribute":       {"{file: /users/users.yaml}", "{ldap: " + strings.Replace(ldap, "email: mail", "email: {atribute: mail}", 1) + "}", "users.ldap.users.attributes.email: unknown field; the known fields are attribute and list"},
		"merged":             {"[password]", "[password], <<: {scops: [a]}", "clients[0].scops: unknown field; did you mean scopes?"},
		"subject issuer":     {"clients:", exchange("name: github, issuer: 'https://x'") + "\n- {id: x, public: true, grantTypes: ['urn:ietf:params:oauth:grant-type:token-exchange'], subjectIssuers: [gihtub]}", "clients[0].subjectIssuers: \"gihtub\" is not a name in tokenExchange; did you mean github?"},
	} {
		text := strings.Replace(right, c.was, c.is, 1)
		if name == "no users" {
			text = strings.Replace(text, "users: {file: /users/users.yaml}\n", "", 1)
		}
		_, err := config.Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: want %q and no more, got:\n%v", name, c.says, err)
		}
	}
}
