package login

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func listOf(users string) []byte {
	return []byte("apiVersion: issuer.keywright.dev/v1alpha1\nkind: UserList\nusers:\n" + users)
}

func parsed(t *testing.T, users string) *Users {
	t.Helper()
	u, err := ParseUsers(listOf(users))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestCheck(t *testing.T) {
	hash := HashPassword("secret")
	u := parsed(t, "- {name: alice, subject: a, passwordHash: '"+hash+"'}\n- {name: bob, subject: b, passwordHash: '"+hash+"', disabled: true}\n")
	c := NewChecker(1, time.Second)
	user, err := c.Check(t.Context(), u, "alice", "secret")
	if err != nil || user.Subject != "a" {
		t.Errorf("alice: %v %v", user, err)
	}
	for _, try := range [][2]string{{"alice", "Secret"}, {"alice", ""}, {"bob", "secret"}, {"mallory", "secret"}, {"", ""}} {
		if _, err := c.Check(t.Context(), u, try[0], try[1]); !errors.Is(err, ErrDenied) {
			t.Errorf("%q: %v", try, err)
		}
	}
}

// Unknown users cost what the costliest known one does: by construction, since no test can time it.
func TestNobodyCostsAsMuchAsAnybody(t *testing.T) {
	costly := "$argon2id$v=19$m=65536,t=3,p=2$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	u := parsed(t, "- {name: a, subject: a, passwordHash: '"+HashPassword("x")+"'}\n- {name: b, subject: b, passwordHash: '"+costly+"'}\n")
	if n := u.nobody; n.memory != 65536 || n.passes != 3 || n.parallelism != 2 || len(n.key) != 32 {
		t.Errorf("nobody costs %+v", n)
	}
	if n := parsed(t, "").nobody; n.memory != 19456 || n.passes != 2 {
		t.Errorf("without users nobody costs %+v", n)
	}
}

func TestBusy(t *testing.T) {
	c := NewChecker(1, time.Millisecond)
	c.slots <- struct{}{}
	if _, err := c.Check(t.Context(), parsed(t, ""), "a", "b"); !errors.Is(err, ErrBusy) {
		t.Errorf("with no slot free: %v", err)
	}
	<-c.slots
	if _, err := c.Check(t.Context(), parsed(t, ""), "a", "b"); !errors.Is(err, ErrDenied) {
		t.Errorf("with a slot free: %v", err)
	}
}

func TestHashes(t *testing.T) {
	good := HashPassword("x")
	parts := strings.Split(good, "$")
	with := func(i int, part string) string {
		changed := append([]string(nil), parts...)
		changed[i] = part
		return strings.Join(changed, "$")
	}
	if h, err := ParseHash(good); err != nil || h.String() != good || !h.matches("x") || h.matches("y") {
		t.Errorf("%s: %v", good, err)
	}
	for _, bad := range []string{
		"", "x", "$2y$10$abc", with(1, "argon2i"), with(2, "v=16"), with(3, "m=19456,t=2"), with(3, "m=19456,t=2,p=1,x=1"),
		with(3, "m=+19456,t=2,p=1"), with(3, "m=019456,t=2,p=1"), with(3, "m=19456,t=0,p=1"), with(3, "m=19456,t=2,p=0"),
		with(3, "m=19456,t=11,p=1"), with(3, "m=262145,t=1,p=1"), with(3, "m=4294967295,t=1,p=1"), with(3, "m=4294967296,t=1,p=1"),
		with(3, "m=19456,t=2,p=17"), with(3, "m=19456,t=2,p=256"), with(3, "m=7,t=1,p=1"), with(4, ""), with(4, "AAAA"), with(4, "!"),
		with(5, ""), with(5, "AAAA"), with(5, parts[5]+"="), with(5, strings.Repeat("A", 100)), good + "$x", " " + good,
	} {
		if _, err := ParseHash(bad); err == nil {
			t.Errorf("accepted %s", bad)
		}
	}
}

func TestUserListsThatAreRefused(t *testing.T) {
	hash := HashPassword("x")
	ok := "- {name: a, subject: s, passwordHash: '" + hash + "'}\n"
	for name, c := range map[string]struct{ users, says string }{
		"no name":          {"- {subject: s, passwordHash: '" + hash + "'}", "needs a name"},
		"no subject":       {"- {name: a, passwordHash: '" + hash + "'}", "needs a subject"},
		"subject a client": {"- {name: a, subject: 'client:x', passwordHash: '" + hash + "'}", "does not begin with client:"},
		"no hash":          {"- {name: a, subject: s}", "passwordHash: not an argon2id hash"},
		"name twice":       {ok + strings.Replace(ok, "subject: s", "subject: t", 1), `there are two users "a"`},
		"subject twice":    {ok + strings.Replace(ok, "name: a", "name: b", 1), "is that of another user"},
		"reserved claim":   {strings.Replace(ok, "}", ", claims: {iss: x}}", 1), "iss is reserved"},
		"not a scope":      {strings.Replace(ok, "}", ", scopes: ['a b']}", 1), "not all are scopes"},
		"unknown field":    {strings.Replace(ok, "}", ", admin: true}", 1), `unknown field "admin"`},
		"mistyped":         {strings.Replace(ok, "}", ", disabled: maybe}", 1), "disabled must be a bool"},
		"empty entry":      {"- \n", "users[0] is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseUsers(listOf(c.users)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("want %q, got: %v", c.says, err)
			} else if strings.Contains(err.Error(), hash) {
				t.Errorf("the error quotes the hash: %v", err)
			}
		})
	}
	if _, err := ParseUsers([]byte("kind: UserList")); err == nil {
		t.Error("accepted without a version")
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add(HashPassword("x"))
	f.Add("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHash(text)
		if err == nil && h.memory <= 64 && h.passes == 1 {
			h.matches("x") // must not panic
		}
		if err == nil && h.String() != text {
			t.Errorf("%q is not the only way to write %s", text, h)
		}
	})
}

func FuzzParseUsers(f *testing.F) {
	f.Add(listOf("- {name: a, subject: s, passwordHash: x, claims: {a: [1, {b: c}]}}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := ParseUsers(b)
		if err == nil {
			for name, user := range u.byName {
				if name == "" || user.Subject == "" || len(user.hash.key) == 0 {
					t.Errorf("accepted %+v", user)
				}
			}
		}
	})
}
