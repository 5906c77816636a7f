package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/keywright/keywright/issuer/login/ldap/slapdtest"
)

const ldapPassword = "canary-user-password"

// slapd is a running OpenLDAP server with the users alice, carol, and mallory, whose number looks like a subject of the trusted
// issuer other.
type slapd struct {
	url  string
	stop func()
}

func newSlapd(w *world) *slapd {
	w.Helper()
	person := func(uid, more string) string {
		return fmt.Sprintf("dn: uid=%[1]s,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: %[1]s\ncn: %[1]s\nsn: %[1]s\nuserPassword: %[2]s\n%[3]s\n", uid, ldapPassword, more)
	}
	url, stop := slapdtest.Start(w, w.cert.Directory, person("alice", "")+
		person("mallory", "employeeNumber: other:system:serviceaccount:prod:deployer\n")+person("carol", "employeeNumber: 4711\n"))
	return &slapd{url: url, stop: stop}
}

// use starts an issuer whose users are those of the directory, with an attribute as their subject.
func (s *slapd) use(w *world, config, subject string) {
	w.Helper()
	w.users.write(map[string]string{"password": slapdtest.SearcherPassword})
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
	if log := w.log.String(); !strings.Contains(log, "reserved for exchanged tokens") || !strings.Contains(log, "tokenExchange=other") && !strings.Contains(log, `"tokenExchange":"other"`) {
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
