package ldap_test

import (
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/login/conformance"
	"github.com/keywright/keywright/issuer/login/ldap"
)

func open(t *testing.T, settings *config.LDAP) *ldap.Directory {
	t.Helper()
	d := ldap.New(settings)
	t.Cleanup(d.Close)
	return d
}

func TestConformance(t *testing.T) {
	s := newSlapd(t)
	t.Run("ldaps", func(t *testing.T) { conformance.Test(t, open(t, s.settings())) })
	t.Run("StartTLS", func(t *testing.T) {
		settings := s.settings()
		settings.URL, settings.StartTLS = s.ldap, true
		conformance.Test(t, open(t, settings))
	})
}

func TestGroups(t *testing.T) {
	s := newSlapd(t)
	for name, c := range map[string]struct {
		edit func(*config.LDAPGroups)
		want []string
	}{
		"nested, in a circle": {func(*config.LDAPGroups) {}, []string{"engineers", "staff"}},
		"not nested":          {func(g *config.LDAPGroups) { g.Nested = false }, []string{"engineers"}},
		"none":                {func(g *config.LDAPGroups) { g.BaseDN = "" }, nil},
	} {
		settings := s.settings()
		c.edit(&settings.Groups)
		user, err := open(t, settings).Authenticate(t.Context(), "alice", conformance.Password)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := user.Attributes["groups"].([]string); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestReasons(t *testing.T) {
	s := newSlapd(t)
	d := open(t, s.settings())
	for _, c := range []struct{ name, password, reason string }{
		{"alice", "wrong", login.WrongPassword}, {"mallory", "wrong", login.UnknownUser}, {"bob", conformance.Password, login.UnknownUser},
	} {
		var denied *login.Denied
		if _, err := d.Authenticate(t.Context(), c.name, c.password); !errors.As(err, &denied) || denied.Reason != c.reason {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, filter := range []string{"(|(uid={name})(uid=*))", "(|(uid={name})(objectClass=*))"} { // two entries, and more than are asked for
		loose := s.settings()
		loose.Users.Filter = filter
		var denied *login.Denied
		if _, err := open(t, loose).Authenticate(t.Context(), "alice", conformance.Password); !errors.As(err, &denied) || denied.Reason != ldap.Several {
			t.Errorf("%s: %v", filter, err)
		}
	}
}

// A directory that goes down and comes back needs no restart of the issuer: the connections it closed are not in the way.
func TestDirectoryOutageAndRecovery(t *testing.T) {
	s := newSlapd(t)
	d := open(t, s.settings())
	if _, err := d.Authenticate(t.Context(), "alice", conformance.Password); err != nil {
		t.Fatal(err)
	}
	s.stop()
	for range 3 {
		if _, err := d.Authenticate(t.Context(), "alice", conformance.Password); !errors.Is(err, login.ErrDown) {
			t.Errorf("while it is down: %v", err)
		}
	}
	s.start()
	if _, err := d.Authenticate(t.Context(), "alice", conformance.Password); err != nil {
		t.Errorf("after it came back: %v", err)
	}
	s.stop()
	s.start()
	if _, err := d.Authenticate(t.Context(), "alice", conformance.Password); err != nil {
		t.Errorf("after a restart that nobody saw: %v", err)
	}
}

func TestWhatIsNotTrustedIsDown(t *testing.T) {
	s := newSlapd(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	s.must(err)
	defer func() { _ = silent.Close() }()
	for name, edit := range map[string]func(*config.LDAP){
		"another certificate":  func(l *config.LDAP) { l.CAFile = "" },
		"no such CA file":      func(l *config.LDAP) { l.CAFile = "/nowhere" },
		"a CA file of nothing": func(l *config.LDAP) { l.CAFile = l.BindPasswordFile },
		"a wrong searcher":     func(l *config.LDAP) { l.BindDN = "cn=other,dc=example,dc=com" },
		"no such password":     func(l *config.LDAP) { l.BindPasswordFile = "/nowhere" },
		"a server that hangs": func(l *config.LDAP) {
			l.URL, l.Timeout = "ldaps://"+silent.Addr().String(), config.Duration(100*time.Millisecond)
		},
		"no such base": func(l *config.LDAP) { l.Users.BaseDN = "dc=nowhere" },
	} {
		settings := s.settings()
		edit(settings)
		if _, err := open(t, settings).Authenticate(t.Context(), "alice", conformance.Password); !errors.Is(err, login.ErrDown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	busy := s.settings()
	busy.URL, busy.Connections, busy.Timeout = "ldaps://"+silent.Addr().String(), 1, config.Duration(500*time.Millisecond)
	d := open(t, busy)
	both := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := d.Authenticate(t.Context(), "alice", conformance.Password)
			both <- err
		}()
	}
	if a, b := <-both, <-both; !errors.Is(errors.Join(a, b), login.ErrDown) {
		t.Errorf("one connection for two: %v, %v", a, b)
	}
}
