package postgres_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/login/conformance"
	"github.com/keywright/keywright/issuer/login/postgres"
	"github.com/keywright/keywright/issuer/login/postgres/postgrestest"
)

func logIn(t *testing.T, d *postgres.Directory) error {
	t.Helper()
	_, err := d.Authenticate(t.Context(), "alice", conformance.Password)
	return err
}

// A server that is down lets nobody in and refuses nobody, and when it is back the first login succeeds, whatever became of its connections.
func TestServerIsRestarted(t *testing.T) {
	s := postgrestest.Start(t, people())
	d := open(t, settings(s, peopleQuery))
	if err := logIn(t, d); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	for _, name := range []string{"alice", "mallory"} {
		if _, err := d.Authenticate(t.Context(), name, "wrong"); !errors.Is(err, login.ErrDown) || errors.Is(err, login.ErrDenied) {
			t.Errorf("%s, while it is down: %v", name, err)
		}
		if _, err := d.Lookup(t.Context(), name); !errors.Is(err, login.ErrDown) {
			t.Errorf("%s, looked up while it is down: %v", name, err)
		}
	}
	if err := d.Check(t.Context()); !errors.Is(err, login.ErrDown) || strings.Contains(err.Error(), postgrestest.Password) {
		t.Errorf("%v", err)
	}
	s.Again()
	if err := logIn(t, d); err != nil {
		t.Error(err)
	}
}

// A connection that an administrator ends is replaced within the login that finds it: one that was idle for a second is tried before it is used.
func TestConnectionIsKilled(t *testing.T) {
	s := postgrestest.Start(t, people())
	d := open(t, settings(s, peopleQuery))
	if err := logIn(t, d); err != nil {
		t.Fatal(err)
	}
	s.SQL("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'keywright'")
	if err := logIn(t, d); err != nil {
		t.Error(err)
	}
}

// A new password is used by the next connection; those that are open go on.
func TestPasswordChanges(t *testing.T) {
	s := postgrestest.Start(t, people())
	d := open(t, settings(s, peopleQuery))
	if err := logIn(t, d); err != nil {
		t.Fatal(err)
	}
	s.SQL("postgres", "ALTER ROLE keywright PASSWORD 'new one'")
	if err := logIn(t, d); err != nil {
		t.Errorf("over the connection that is open: %v", err)
	}
	if err := open(t, settings(s, peopleQuery)).Check(t.Context()); !errors.Is(err, login.ErrDown) || !strings.Contains(err.Error(), "password authentication failed") {
		t.Errorf("with the old password: %v", err)
	}
	s.Write("password", "new one")
	s.SQL("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'keywright'")
	if err := logIn(t, d); err != nil {
		t.Errorf("with the new password: %v", err)
	}
}

// When all connections are in use, a login waits for the timeout, and is told to come again. Nobody is refused.
func TestPoolIsExhausted(t *testing.T) {
	s := postgrestest.Start(t, people())
	slow := settings(s, strings.Replace(peopleQuery, "WHERE", "WHERE pg_sleep(2) IS NOT NULL AND", 1))
	slow.Connections, slow.Timeout = 1, config.Duration(20*time.Second)
	d := open(t, slow)
	var all sync.WaitGroup
	all.Go(func() {
		if err := logIn(t, d); err != nil {
			t.Error(err)
		}
	})
	for used := int32(0); used == 0; used, _, _ = d.Connections() {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := d.Authenticate(ctx, "alice", conformance.Password); !errors.Is(err, login.ErrBusy) {
		t.Errorf("got %v", err)
	}
	all.Wait()
	if err := logIn(t, d); err != nil {
		t.Error(err)
	}
}

// A query that takes too long is given up, also by the server, and the next login is not held up.
func TestQueryIsSlow(t *testing.T) {
	s := postgrestest.Start(t, people()+"CREATE TABLE slow (seconds int); INSERT INTO slow VALUES (60); GRANT SELECT ON slow TO keywright;")
	slow := settings(s, strings.Replace(peopleQuery, "WHERE", "WHERE pg_sleep((SELECT seconds FROM slow)) IS NOT NULL AND", 1))
	slow.Connections, slow.Timeout = 1, config.Duration(2*time.Second)
	d := open(t, slow)
	began := time.Now()
	if err := logIn(t, d); !errors.Is(err, login.ErrDown) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	deadline := time.Now().Add(30 * time.Second)
	for s.SQL("postgres", "SELECT count(*) FROM pg_stat_activity WHERE usename = 'keywright' AND state = 'active'") != "0" {
		if time.Now().After(deadline) {
			t.Fatal("the server is still busy with it")
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.SQL("app", "UPDATE slow SET seconds = 0")
	if err := logIn(t, d); err != nil {
		t.Error(err)
	}
}

// A row that is too long is not read, and the next login goes on.
func TestRowIsTooLong(t *testing.T) {
	s := postgrestest.Start(t, people()+"UPDATE people SET email = repeat('x', 2 << 20) WHERE name = 'bob'")
	d := open(t, settings(s, peopleQuery))
	if _, err := d.Lookup(t.Context(), "bob"); !errors.Is(err, login.ErrDown) || !strings.Contains(err.Error(), "body") {
		t.Errorf("got %v", err)
	}
	if err := logIn(t, d); err != nil {
		t.Error(err)
	}
}

// The first of two servers fails, and the second one, which has followed it, takes over: with read-write, only once it is the primary.
func TestFailover(t *testing.T) {
	first := postgrestest.Start(t, people())
	second := first.Standby()
	both := settings(first, peopleQuery)
	both.Host, both.Port, both.TargetSessionAttrs = "127.0.0.1,127.0.0.1", first.Port+","+second.Port, "read-write"
	d := open(t, both)
	if err := logIn(t, d); err != nil {
		t.Fatal(err)
	}
	first.Stop()
	if err := logIn(t, d); !errors.Is(err, login.ErrDown) {
		t.Errorf("with a standby alone: %v", err)
	}
	anyOf := *both
	anyOf.TargetSessionAttrs = "any"
	if err := logIn(t, open(t, &anyOf)); err != nil {
		t.Errorf("any of them: %v", err)
	}
	second.Promote()
	if err := logIn(t, d); err != nil {
		t.Errorf("after the failover: %v", err)
	}
}

// A host that takes connections and says nothing leaves time for the next one.
func TestHostIsSilent(t *testing.T) {
	s := postgrestest.Start(t, people())
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	_, port, _ := net.SplitHostPort(silent.Addr().String())
	both := settings(s, peopleQuery)
	both.Host, both.Port, both.Timeout = "127.0.0.1,127.0.0.1", port+","+s.Port, config.Duration(4*time.Second)
	if err := logIn(t, open(t, both)); err != nil {
		t.Error(err)
	}
	alone := settings(s, peopleQuery)
	alone.Port, alone.Timeout = port, config.Duration(500*time.Millisecond)
	if err := logIn(t, open(t, alone)); !errors.Is(err, login.ErrDown) {
		t.Errorf("a silent host alone: %v", err)
	}
}

// Nothing is sent to a server without TLS, of another name, or with a certificate of another CA.
func TestServerIsNotTrusted(t *testing.T) {
	s, other := postgrestest.Start(t, people()), postgrestest.Start(t, "")
	for name, change := range map[string]func(*config.PostgreSQL){
		"another CA":       func(c *config.PostgreSQL) { c.CAFile = filepath.Join(other.Directory, "tls.crt") },
		"the system's CAs": func(c *config.PostgreSQL) { c.CAFile = "" },
		"another name":     func(c *config.PostgreSQL) { c.Host = "localhost" },
		"no file of a CA":  func(c *config.PostgreSQL) { c.CAFile += "x" },
		"no certificate":   func(c *config.PostgreSQL) { c.CAFile = filepath.Join(s.Directory, "password") },
		"no password":      func(c *config.PostgreSQL) { c.PasswordFile = os.DevNull },
		"no file of one":   func(c *config.PostgreSQL) { c.PasswordFile += "x" },
		"no such role":     func(c *config.PostgreSQL) { c.User = "o'reilly \\" },
		"no such database": func(c *config.PostgreSQL) { c.Database = "x" },
	} {
		c := settings(s, peopleQuery)
		change(c)
		if err := logIn(t, open(t, c)); !errors.Is(err, login.ErrDown) || strings.Contains(err.Error(), postgrestest.Password) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Write("data/pg_hba.conf", "local all all trust\nhost all all 127.0.0.1/32 trust\n")
	s.Stop()
	s.Plain()
	if err := logIn(t, open(t, settings(s, peopleQuery))); !errors.Is(err, login.ErrDown) || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("without TLS: %v", err)
	}
}

// A name that nobody has takes as long as a wrong password, also where hashes cost more than ours.
func TestUnknownNamesCostAsMuch(t *testing.T) {
	const costly = "pbkdf2_sha256$5000000$pepperSaltAndMore22chr$dubQcZJmpHGXDGWjAmoTWquvDgDTkYtJZ56IbuyKjwo="
	s := postgrestest.Start(t, people()+"UPDATE people SET hash = '"+costly+"' WHERE name = 'bob'")
	d := open(t, settings(s, peopleQuery))
	took := func(name string) time.Duration {
		began := time.Now()
		if _, err := d.Authenticate(t.Context(), name, "wrong"); !errors.Is(err, login.ErrDenied) {
			t.Fatal(err)
		}
		return time.Since(began)
	}
	known := min(took("bob"), took("bob"))
	if unknown := took("mallory"); unknown < known/4 {
		t.Errorf("an unknown name took %v, a known one %v", unknown, known)
	}
}
