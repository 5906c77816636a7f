package ldap_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/login/conformance"
	"github.com/keywright/keywright/issuer/login/ldap"
)

// person is an entry in LDIF, with more lines.
func person(uid string, more ...string) string {
	return fmt.Sprintf(`dn: uid=%[1]s,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: %[1]s
cn: %[1]s
sn: %[1]s
userPassword: %[2]s
%[3]s
`, uid, conformance.Password, strings.Join(append(more, ""), "\n"))
}

// binds counts the binds of a user that slapd was asked for.
func (s *slapd) binds(uid string) int {
	s.Helper()
	b, err := os.ReadFile(filepath.Join(s.directory, "slapd.log"))
	s.must(err)
	return strings.Count(string(b), fmt.Sprintf(`BIND dn="uid=%s,`, uid))
}

// Some results are about the account, and some about the server. A password is tried once in any case, also on a connection
// that is used again: directories count.
func TestResultsOfABind(t *testing.T) {
	const branch = "ou=faults,dc=example,dc=com" // of which slapd finds entries, and answers binds as it is told
	configuration := "overlay retcode\nretcode-parent " + branch
	ldif := "dn: " + branch + "\nobjectClass: organizationalUnit\nou: faults\n\n"
	for name, result := range map[string]string{
		"busy": "51", "failing": "1", "cut": "51 flags=disconnect", "moved": "10 ref=ldap://other.example.com", "locked": "53", "gone": "32",
	} {
		configuration += "\nretcode-item uid=" + name + " " + strings.Replace(result+" ", " ", " op=bind ", 1)
		ldif += strings.ReplaceAll(person(name), "ou=people,dc=example,dc=com", branch) + "\n"
	}
	s := newSlapdWith(t, configuration, ldif)
	settings := s.settings()
	settings.Users.BaseDN = "dc=example,dc=com"
	d := open(t, settings)
	for _, c := range []struct {
		name   string
		want   error
		result string
	}{
		{"busy", login.ErrDown, ""},
		{"failing", login.ErrDown, ""},
		{"cut", login.ErrDown, ""},
		{"moved", login.ErrDenied, "Referral"},
		{"locked", login.ErrDenied, "Unwilling To Perform"},
		{"gone", login.ErrDenied, "No Such Object"},
	} {
		if _, err := d.Authenticate(t.Context(), "alice", conformance.Password); err != nil { // leaves a connection for the next
			t.Fatal(err)
		}
		_, err := d.Authenticate(t.Context(), c.name, conformance.Password)
		var denied *login.Denied
		if !errors.Is(err, c.want) || (errors.As(err, &denied) && (denied.Reason != ldap.Refused+c.result || denied.Subject == "")) {
			t.Errorf("%s: %v", c.name, err)
		}
		if n := s.binds(c.name); n != 1 {
			t.Errorf("the password of %s was tried %d times", c.name, n)
		}
	}
}

// A server that lets nobody bind is down for those it does not know too: else it would tell who exists.
func TestAServerThatCannotSayIsDownForEverybody(t *testing.T) {
	s := newSlapdWith(t, "database null\nsuffix \"dc=strict\"\nsecurity simple_bind=1024", "")
	settings := s.settings()
	settings.Users.BaseDN = "dc=strict" // there is nobody
	if _, err := open(t, settings).Authenticate(t.Context(), "mallory", conformance.Password); !errors.Is(err, login.ErrDown) {
		t.Errorf("got %v", err)
	}
}

// What is no text to a log or a terminal is written in hex.
func TestSubjectsArePrintable(t *testing.T) {
	s := newSlapdWith(t, "", person("mirrored", "title: x\u202ey")+person("client", "title: client:x")+person("plain", "title: x y"))
	settings := s.settings()
	settings.Users.Subject = "title"
	for name, want := range map[string]string{"mirrored": "78e280ae79", "client": "", "plain": "x y"} {
		user, err := open(t, settings).Authenticate(t.Context(), name, conformance.Password)
		if (err == nil) != (want != "") || (err == nil && user.Subject != want) {
			t.Errorf("%s: %+v %v", name, user, err)
		}
	}
}

// A server that answers StartTLS and then says nothing holds no connection for longer than the timeout.
func TestStalledHandshakeTimesOut(t *testing.T) {
	stalling, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stalling.Close() }()
	go func() {
		for {
			c, err := stalling.Accept()
			if err != nil {
				return
			}
			request := make([]byte, 31) // messageID is the fifth byte
			if _, err := io.ReadFull(c, request); err == nil {
				_, _ = c.Write([]byte{0x30, 12, 2, 1, request[4], 0x78, 7, 10, 1, 0, 4, 0, 4, 0}) // an ExtendedResponse: success
			}
			defer func() { _ = c.Close() }()
		}
	}()
	d := open(t, &config.LDAP{
		URL: "ldap://" + stalling.Addr().String(), StartTLS: true, Timeout: config.Duration(time.Second), Connections: 1,
		BindPasswordFile: "/dev/null",
	})
	for range 2 { // the second needs what the first had
		done := make(chan error, 1)
		go func() {
			_, err := d.Authenticate(t.Context(), "alice", conformance.Password)
			done <- err
		}()
		select {
		case err := <-done:
			if !errors.Is(err, login.ErrDown) || !strings.Contains(err.Error(), "TLS") {
				t.Errorf("got %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("it waits for ever")
		}
	}
}

// The timeout is that of the login, and not of each of its operations, none of which is slow for itself. It is not that of a
// connection, which the next login uses again.
func TestTimeoutBoundsTheLogin(t *testing.T) {
	const timeout = 2 * time.Second
	s := newSlapd(t)
	between := newProxy(t, strings.TrimPrefix(s.ldaps, "ldaps://"))
	settings := s.settings()
	settings.URL = "ldaps://" + between.address
	settings.Timeout, settings.Connections = config.Duration(timeout), 1
	d := open(t, settings)
	logIn := func(d *ldap.Directory, delay time.Duration, want error) {
		t.Helper()
		between.delay.Store(int64(delay))
		if _, err := d.Authenticate(t.Context(), "alice", conformance.Password); !errors.Is(err, want) {
			t.Errorf("with %v more for each answer: %v", delay, err)
		}
	}
	logIn(d, 0, nil)
	<-time.After(timeout + timeout/10) // nothing tells that a deadline passes
	logIn(d, 0, nil)
	if n := between.accepted.Load(); n != 1 {
		t.Errorf("%d connections, of which the first has outlived the login", n)
	}
	logIn(d, 600*time.Millisecond, login.ErrDown)
	logIn(d, 0, nil)
	logIn(open(t, settings), 600*time.Millisecond, login.ErrDown) // on a new connection
}

// A connection that dies when it is used again is replaced: no password of a user was sent on it.
func TestADeadConnectionIsReplaced(t *testing.T) {
	s := newSlapd(t)
	between := newProxy(t, strings.TrimPrefix(s.ldaps, "ldaps://"))
	settings := s.settings()
	settings.URL = "ldaps://" + between.address
	d := open(t, settings)
	for range 2 {
		if _, err := d.Authenticate(t.Context(), "alice", conformance.Password); err != nil {
			t.Error(err)
		}
		between.cut.Store(true)
	}
	if n := between.accepted.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

// proxy forwards, and delays what comes back. Once it is told to, it closes a connection on which something is sent.
type proxy struct {
	address         string
	delay, accepted atomic.Int64
	cut             atomic.Bool
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &proxy{address: l.Addr().String()}
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			p.accepted.Add(1)
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			go p.forward(far, near, func() bool { return !p.cut.Swap(false) })
			go p.forward(near, far, func() bool {
				<-time.After(time.Duration(p.delay.Load()))
				return true
			})
		}
	}()
	return p
}

// forward copies until one side ends, or a function that is asked before each write says so.
func (p *proxy) forward(to io.WriteCloser, from io.ReadCloser, goOn func() bool) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if err != nil || !goOn() {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// A token with some of the groups might have a right that another group takes away. So it is all of them, or no token.
func TestGroupsAreAllOrNone(t *testing.T) {
	group := func(name, member string) string {
		return fmt.Sprintf("dn: cn=%[1]s,ou=groups,dc=example,dc=com\nobjectClass: groupOfNames\ncn: %[1]s\nmember: %[2]s\n\n", name, member)
	}
	var ldif strings.Builder
	ldif.WriteString(person("wide") + person("widest") + person("spread") + person("deep") + person("deepest"))
	in := func(uid string) string { return "uid=" + uid + ",ou=people,dc=example,dc=com" }
	many := func(prefix, member string, n int) {
		for i := range n {
			ldif.WriteString(group(fmt.Sprintf("%s%d", prefix, i), member))
		}
	}
	chain := func(prefix, member string, n int) {
		for i := range n {
			name := fmt.Sprintf("%s%d", prefix, i)
			ldif.WriteString(group(name, member))
			member = "cn=" + name + ",ou=groups,dc=example,dc=com"
		}
	}
	many("w", in("wide"), 500)
	many("x", in("widest"), 501)
	many("s", in("spread"), 300)
	many("t", "cn=s0,ou=groups,dc=example,dc=com", 201)
	chain("d", in("deep"), 10)
	chain("e", in("deepest"), 11)
	s := newSlapdWith(t, "", ldif.String())
	d := open(t, s.settings())
	for name, want := range map[string]int{"wide": 500, "widest": 0, "spread": 0, "deep": 10, "deepest": 0} {
		user, err := d.Authenticate(t.Context(), name, conformance.Password)
		var denied *login.Denied
		switch {
		case want == 0 && (!errors.As(err, &denied) || denied.Reason != ldap.TooManyGroups || denied.Subject == ""):
			t.Errorf("%s: %v %v", name, user, err)
		case want > 0 && err != nil:
			t.Errorf("%s: %v", name, err)
		case want > 0:
			if groups, _ := user.Attributes["groups"].([]string); len(groups) != want {
				t.Errorf("%s is in %d groups", name, len(groups))
			}
		}
	}
}
