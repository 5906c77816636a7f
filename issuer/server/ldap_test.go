package server_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	searcherPassword = "canary-searcher-password"
	ldapPassword     = "canary-user-password"
)

// slapd is a running OpenLDAP server with the users alice, carol, and mallory, whose number looks like a subject of the trusted
// issuer other. It has a searching account.
type slapd struct {
	url  string
	stop func()
}

func newSlapd(w *world) *slapd {
	w.Helper()
	if _, err := exec.LookPath("/usr/sbin/slapd"); err != nil {
		if os.Getenv("REQUIRE_SLAPD") != "" {
			w.Fatal("slapd is needed: apt-get install slapd")
		}
		w.Skip("slapd is missing: apt-get install slapd")
	}
	directory := w.TempDir()
	in := func(name string) string { return filepath.Join(directory, name) }
	w.must(os.Mkdir(in("data"), 0o700))
	w.must(os.WriteFile(in("slapd.conf"), fmt.Appendf(nil, `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile %[1]s/tls.crt
TLSCertificateKeyFile %[1]s/tls.key
security simple_bind=128
database mdb
suffix "dc=example,dc=com"
directory %[2]s
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=searcher,dc=example,dc=com" read by * none
`, w.cert.Directory, in("data")), 0o600))
	w.must(os.WriteFile(in("data.ldif"), fmt.Appendf(nil, `dn: dc=example,dc=com
objectClass: domain
dc: example

dn: cn=searcher,dc=example,dc=com
objectClass: person
cn: searcher
sn: searcher
userPassword: %s

dn: uid=alice,dc=example,dc=com
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: A
userPassword: %[2]s

dn: uid=mallory,dc=example,dc=com
objectClass: inetOrgPerson
uid: mallory
cn: Mallory
sn: M
employeeNumber: other:system:serviceaccount:prod:deployer
userPassword: %[2]s

dn: uid=carol,dc=example,dc=com
objectClass: inetOrgPerson
uid: carol
cn: Carol
sn: C
employeeNumber: 4711
userPassword: %[2]s
`, searcherPassword, ldapPassword), 0o600))
	if out, err := exec.Command("/usr/sbin/slapadd", "-f", in("slapd.conf"), "-l", in("data.ldif")).CombinedOutput(); err != nil {
		w.Fatalf("slapadd: %v\n%s", err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	address := free.Addr().String()
	w.must(free.Close())
	cmd := exec.Command("/usr/sbin/slapd", "-d", "0", "-f", in("slapd.conf"), "-h", "ldaps://"+address)
	w.must(cmd.Start())
	s := &slapd{url: "ldaps://" + address, stop: func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }}
	w.Cleanup(s.stop)
	w.until("listening at "+address, func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return s
}

// use starts an issuer whose users are those of the directory, with an attribute as their subject.
func (s *slapd) use(w *world, config, subject string) {
	w.Helper()
	w.users.write(map[string]string{"password": searcherPassword})
	w.settings.write(map[string]string{"issuer.yaml": strings.Replace(config, "{file: "+w.users.Directory+"/users.yaml}", fmt.Sprintf(`
  ldap:
    url: %s
    caFile: %s/tls.crt
    bindDN: cn=searcher,dc=example,dc=com
    bindPasswordFile: %s/password
    users: {baseDN: "dc=example,dc=com", filter: "(&(objectClass=inetOrgPerson)(uid={name}))", subject: %s}`,
		s.url, w.cert.Directory, w.users.Directory, subject), 1)})
	w.useKey("ES256", newKey(w.T))
	w.start()
}

func (w *world) logInAt(name, password string) reply {
	return w.post(form("grant_type", "password", "client_id", "web", "username", name, "password", password))
}

// A user of a directory whose subject is one that only exchanged tokens may have would pass for somebody else.
func TestSubjectOfATrustedIssuerInADirectory(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	newSlapd(w).use(w, w.config()+`
tokenExchange:
- {name: other, issuer: "https://other.example.com", keys: {file: /nowhere}}
`, "employeeNumber")
	if r := w.logInAt("carol", ldapPassword); r.status != http.StatusOK {
		t.Fatalf("carol: %d %s\n%s", r.status, r.body, w.log)
	}
	r := w.logInAt("mallory", ldapPassword)
	wrong := w.logInAt("mallory", "wrong")
	if r.status != http.StatusBadRequest || r.body != wrong.body {
		t.Errorf("mallory: %d %s, and with a wrong password %s", r.status, r.body, wrong.body)
	}
	if log := w.log.String(); !strings.Contains(log, "only exchanged tokens may have") || !strings.Contains(log, "tokenExchange=other") && !strings.Contains(log, `"tokenExchange":"other"`) {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

// Nor do those of a directory come out: neither the passwords, nor what was typed, nor to a client what the directory says.
func TestSecretsOfADirectoryComeOutNowhere(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	directory := newSlapd(w)
	directory.use(w, w.config(), "entryUUID")
	login := w.logInAt
	r := login("alice", ldapPassword)
	if r.status != http.StatusOK {
		t.Fatalf("%d %s\n%s", r.status, r.body, w.log)
	}
	said := []string{r.body}
	for _, c := range []struct {
		name, password string
		status         int
	}{
		{"alice", "canary-wrong-password", 400},
		{"canary-name", "canary-wrong-password", 400},
		{"canary)(uid=*", ldapPassword, 400},
		{"alice", strings.Repeat("canary", 200), 400},
		{"alice\x00canary", "canary\x00", 400},
	} {
		r := login(c.name, c.password)
		if said = append(said, r.body); r.status != c.status {
			t.Errorf("%s: %d %s", c.name, r.status, r.body)
		}
	}
	broken := func(what, says string) {
		for _, r := range []reply{login("alice", ldapPassword), login("canary-name", "canary-wrong-password")} {
			said = append(said, r.body)
			if r.status != http.StatusServiceUnavailable || r.fields["error_description"] != "logins with a password are temporarily unavailable" {
				t.Errorf("%s: %d %s", what, r.status, r.body)
			}
		}
		if !strings.Contains(w.log.String(), says) {
			t.Errorf("%s: the log does not say %q:\n%s", what, says, w.log)
		}
	}
	w.users.write(map[string]string{"password": "canary-other-password"})
	broken("a searcher who is refused", "bind as cn=searcher,dc=example,dc=com: LDAP Result Code 49")
	directory.stop()
	broken("a directory that is down", "connection refused")
	for _, text := range append(said, w.log.String(), w.audit.String(), w.get(w.probes+"/metrics").body) {
		if strings.Contains(text, "canary") {
			t.Errorf("a secret is in %s", text)
		}
	}
	for _, body := range said {
		if strings.Contains(body, "LDAP") || strings.Contains(body, "dc=example") || strings.Contains(body, "127.0.0.1") {
			t.Errorf("a client is told %s", body)
		}
	}
}
