package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/issuer/login/postgres/postgrestest"
)

// TestMain runs the issuer if a test sets RUN_AS_ISSUER, so that tests can check its exit code.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_AS_ISSUER") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// mounted returns the files of an issuer with LDAP and two trusted issuers, by name.
func mounted(t *testing.T) map[string]string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	jwk := jose.JSONWebKey{Key: key, Algorithm: "ES256", Use: "sig"}
	digest, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	jwk.KeyID = base64.RawURLEncoding.EncodeToString(digest)
	active, err := json.Marshal(jwk)
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := issuerfiles.Policy{SigningKey: "main", Algorithm: "ES256", MaxLifetime: 15 * time.Minute}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return map[string]string{
		"tls.crt": cert, "tls.key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		contract.ActiveFile: string(active), contract.JWKSFile: string(jwks),
		contract.PolicyFile: string(policy),
		"ldap-ca.crt":       cert, "ldap-password": "canary\n",
		"them.json": string(jwks), "cluster-ca.crt": cert, "cluster-token": "canary\n",
		"issuer.yaml": `apiVersion: issuer.keywright.dev/v1alpha1
kind: IssuerConfiguration
issuer: https://issuer.example.com
server: {tls: {certFile: DIR/tls.crt, keyFile: DIR/tls.key}}
signingKey: {directory: DIR}
users:
  ldap:
    url: ldaps://ldap.example.com
    caFile: DIR/ldap-ca.crt
    bindDN: cn=searcher
    bindPasswordFile: DIR/ldap-password
    users: {baseDN: dc=x, filter: '(uid={name})', subject: entryUUID}
token: {audiences: [https://shop.example.com]}
tokenExchange:
- {name: them, issuer: 'https://them', keys: {file: DIR/them.json}}
- {name: cluster, issuer: 'https://cluster', keys: {url: 'https://cluster/jwks', caFile: DIR/cluster-ca.crt, tokenFile: DIR/cluster-token}}
clients:
- {id: web, public: true, grantTypes: [password]}
`,
	}
}

// check runs check-config on files, as an operator does, and returns its output and exit code.
func check(t *testing.T, files map[string]string, flags ...string) (said string, code int) {
	t.Helper()
	directory := t.TempDir()
	for name, content := range files {
		content = strings.ReplaceAll(content, "DIR", directory)
		if err := os.WriteFile(filepath.Join(directory, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), os.Args[0], append(append([]string{"check-config"}, flags...), filepath.Join(directory, "issuer.yaml"))...)
	command.Env = append(os.Environ(), "RUN_AS_ISSUER=1")
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "canary") {
		t.Errorf("it quotes a secret: %s", out)
	}
	return strings.ReplaceAll(string(out), directory, "DIR"), command.ProcessState.ExitCode()
}

func TestCheckConfigReadsEveryFile(t *testing.T) {
	right := mounted(t)
	if said, code := check(t, right); code != 0 || !strings.Contains(said, "configuration is valid: issuer https://issuer.example.com, 1 clients, users from LDAP (not checked: use --connect), certificate until") ||
		!strings.Contains(said, "SigningKey main signs with key ") {
		t.Errorf("exit code %d: %s", code, said)
	}
	fields := map[string]string{
		"tls.crt": "server.tls: DIR/tls.crt", "tls.key": "server.tls: DIR/tls.crt and DIR/tls.key",
		contract.ActiveFile: "signingKey.directory: " + contract.ActiveFile, contract.JWKSFile: "signingKey.directory: " + contract.JWKSFile,
		contract.PolicyFile: "signingKey.directory: " + contract.PolicyFile,
		"ldap-ca.crt":       "users.ldap: caFile: DIR/ldap-ca.crt", "ldap-password": "users.ldap: bindPasswordFile: DIR/ldap-password",
		"them.json":      "tokenExchange[0]: keys.file: DIR/them.json",
		"cluster-ca.crt": "tokenExchange[1]: keys.caFile: DIR/cluster-ca.crt", "cluster-token": "tokenExchange[1]: keys.tokenFile: DIR/cluster-token",
		"issuer.yaml": "DIR/issuer.yaml: line 12: users.ldap.users: needs baseDN",
	}
	for name, says := range fields {
		broken := maps.Clone(right)
		broken[name] = "\n"
		if name == contract.ActiveFile {
			broken[name] = "x" // an empty file belongs to a SigningKey that drains
		}
		if name == "issuer.yaml" {
			broken[name] = strings.Replace(right[name], "baseDN: dc=x, ", "", 1)
		}
		if said, code := check(t, broken); code != 1 || !strings.Contains(said, says) {
			t.Errorf("%s: exit code %d, and not %q: %s", name, code, says, said)
		}
	}
	missing := map[string]string{"issuer.yaml": strings.Replace(right["issuer.yaml"], "baseDN: dc=x, ", "", 1)}
	said, code := check(t, missing)
	for name := range right {
		if !slices.Contains([]string{"tls.key", contract.ActiveFile, "issuer.yaml"}, name) && !strings.Contains(said, "open DIR/"+name) {
			t.Errorf("%s is missing, and not named: %s", name, said)
		}
	}
	if code != 1 || !strings.Contains(said, "users.ldap.users: needs baseDN") {
		t.Errorf("exit code %d: %s", code, said)
	}
}

func TestCheckConfigReadsUsers(t *testing.T) {
	files := mounted(t)
	text := files["issuer.yaml"]
	files["issuer.yaml"] = text[:strings.Index(text, "users:")] + "users: {file: DIR/users.yaml}\n" + text[strings.Index(text, "token:"):]
	files["users.yaml"] = "apiVersion: issuer.keywright.dev/v1alpha1\nkind: UserList\nusers: []\n"
	if said, code := check(t, files); code != 0 {
		t.Errorf("exit code %d: %s", code, said)
	}
	files["users.yaml"] = "kind: UserList\n"
	if said, code := check(t, files); code != 1 || !strings.Contains(said, "users.file: DIR/users.yaml: line 1: apiVersion") {
		t.Errorf("exit code %d: %s", code, said)
	}
}

func replace(files map[string]string, old, with string) {
	files["issuer.yaml"] = strings.Replace(files["issuer.yaml"], old, with, 1)
}

// With --connect, the database must respond, and the query must be valid.
func TestCheckConfigConnects(t *testing.T) {
	s := postgrestest.Start(t, "CREATE TABLE users (id text, name text, hash text); GRANT SELECT ON users TO keywright")
	files := mounted(t)
	text := files["issuer.yaml"]
	with := func(query string) map[string]string {
		changed := maps.Clone(files)
		changed["issuer.yaml"] = text[:strings.Index(text, "users:")] + fmt.Sprintf(`users:
  postgresql: {host: 127.0.0.1, port: %s, database: app, user: keywright, passwordFile: %s/password, caFile: %[2]s/tls.crt, query: %q}
`, s.Port, s.Directory, query) + text[strings.Index(text, "token:"):]
		return changed
	}
	const right = `SELECT id AS subject, hash AS passwordHash FROM users WHERE name = $1`
	if said, code := check(t, with(right), "--connect"); code != 0 || !strings.Contains(said, "1 clients, users from PostgreSQL (checked), certificate until") {
		t.Errorf("exit code %d: %s", code, said)
	}
	if said, code := check(t, with("SELECT id AS subject FROM users WHERE name = $1")); code != 0 || !strings.Contains(said, "users from PostgreSQL (not checked: use --connect)") {
		t.Errorf("without --connect: exit code %d: %s", code, said)
	}
	if said, code := check(t, with("SELECT id AS subject FROM users WHERE name = $1"), "--connect"); code != 1 || !strings.Contains(said, "issuer.yaml: users.postgresql.query: the column passwordHash is missing") {
		t.Errorf("exit code %d: %s", code, said)
	}
	for name, c := range map[string]struct {
		change func(map[string]string)
		want   string
	}{
		"a file that only the cluster has": {func(f map[string]string) { delete(f, contract.PolicyFile) }, "signingKey.directory: "},
		"another database":                 {func(f map[string]string) { replace(f, "database: app", "database: none") }, "users.postgresql.database: "},
		"another host":                     {func(f map[string]string) { replace(f, "host: 127.0.0.1", "host: localhost") }, "users.postgresql.host: "},
		"another password":                 {func(f map[string]string) { replace(f, s.Directory+"/password", s.Directory+"/tls.crt") }, "users.postgresql.passwordFile: "},
		"another CA":                       {func(f map[string]string) { replace(f, "caFile: "+s.Directory+"/tls.crt", "caFile: DIR/ldap-ca.crt") }, "users.postgresql.caFile: "},
		"no password":                      {func(f map[string]string) { replace(f, s.Directory+"/password", "/nowhere") }, "the directory of users was not checked: correct the errors above first"},
		"a column of no name":              {func(f map[string]string) { replace(f, "hash AS", "hasch AS") }, "Perhaps you meant to reference the column"},
		"a table without rights":           {func(f map[string]string) { replace(f, "FROM users", "FROM pg_authid, users") }, "GRANT SELECT on each column"},
	} {
		changed := with(right)
		c.change(changed)
		said, code := check(t, changed, "--connect")
		if code != 1 || !strings.Contains(said, c.want) || strings.Contains(said, postgrestest.Password) {
			t.Errorf("%s: exit code %d: %s", name, code, said)
		}
		if asked := name != "no password"; asked == strings.Contains(said, "not checked") {
			t.Errorf("%s: asked should be %v: %s", name, asked, said)
		}
	}
	s.Stop()
	if said, code := check(t, with(right), "--connect"); code != 1 || !strings.Contains(said, "issuer.yaml: users.postgresql: ") || !strings.Contains(said, "refused") || strings.Contains(said, postgrestest.Password) {
		t.Errorf("exit code %d: %s", code, said)
	}
	files["issuer.yaml"] = strings.Replace(text, "ldaps://ldap.example.com", "ldaps://127.0.0.1:1", 1)
	if said, code := check(t, files, "--connect"); code != 1 || !strings.Contains(said, "issuer.yaml: users.ldap: ") || !strings.Contains(said, "refused") {
		t.Errorf("LDAP: exit code %d: %s", code, said)
	}
}
