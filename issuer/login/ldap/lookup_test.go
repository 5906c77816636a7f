package ldap_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/keywright/keywright/issuer/login"
)

// A session ends with the password where an attribute says so, and a directory that is away says nothing about anybody.
func TestLookup(t *testing.T) {
	s := newSlapdWith(t, "rootpw root-password", "")
	settings := s.settings()
	settings.Users.PasswordChanged = "employeeNumber"
	d := open(t, settings)
	lookUp := func() *login.User {
		t.Helper()
		user, err := d.Lookup(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		return user
	}
	if before := lookUp(); before.Credential != "" {
		t.Errorf("without the attribute: %q", before.Credential)
	}
	root, err := goldap.DialURL(s.ldaps, goldap.DialWithTLSConfig(&tls.Config{InsecureSkipVerify: true}))
	s.must(err)
	defer func() { _ = root.Close() }()
	s.must(root.Bind("cn=root,dc=example,dc=com", "root-password"))
	change := func(attribute, value string) {
		t.Helper()
		request := goldap.NewModifyRequest("uid=alice,ou=people,dc=example,dc=com", nil)
		request.Replace(attribute, []string{value})
		s.must(root.Modify(request))
	}
	change("employeeNumber", "20261126190000Z")
	first := lookUp()
	if again := lookUp(); first.Credential == "" || strings.Contains(first.Credential, "2026") || again.Credential != first.Credential {
		t.Errorf("%q, then %q", first.Credential, again.Credential)
	}
	change("employeeNumber", "20261126190001Z")
	if changed := lookUp(); changed.Credential == first.Credential || changed.Subject != first.Subject {
		t.Errorf("another time is the same credential %q", changed.Credential)
	}
	change("mail", "elsewhere@example.com")
	if moved := lookUp(); moved.Attributes["email"] != "elsewhere@example.com" {
		t.Errorf("%v", moved.Attributes)
	}
	s.must(root.Del(goldap.NewDelRequest("uid=alice,ou=people,dc=example,dc=com", nil)))
	if _, err := d.Lookup(t.Context(), "alice"); !errors.Is(err, login.ErrDenied) {
		t.Errorf("deleted: %v", err)
	}
	s.stop()
	if _, err := d.Lookup(t.Context(), "alice"); !errors.Is(err, login.ErrDown) {
		t.Errorf("a server that is away: %v", err)
	}
}
