package login

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
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

func listing(u *Users, h *Hasher) *List {
	return NewList(func() (*Users, bool) { return u, u != nil }, h)
}

func TestReasonsAreForTheAuditLog(t *testing.T) {
	hash := HashPassword("secret")
	u := parsed(t, "- {name: alice, subject: a, passwordHash: '"+hash+"'}\n- {name: bob, subject: b, passwordHash: '"+hash+"', disabled: true}\n")
	l := listing(u, NewHasher(1, 1<<30))
	for _, c := range [][4]string{
		{"alice", "Secret", "a", WrongPassword}, {"bob", "secret", "b", DisabledUser}, {"bob", "x", "b", WrongPassword}, {"mallory", "secret", "", UnknownUser},
	} {
		var denied *Denied
		if _, err := l.Authenticate(t.Context(), c[0], c[1]); !errors.As(err, &denied) || denied.Subject != c[2] || denied.Reason != c[3] {
			t.Errorf("%q: %v", c, err)
		}
	}
	if _, err := listing(nil, NewHasher(1, 1)).Authenticate(t.Context(), "a", "b"); !errors.Is(err, ErrDown) {
		t.Errorf("without a list: %v", err)
	}
}

// Unknown users cost what the costliest known one does: by construction, since no test can time it.
func TestUnknownNameCostsAsMuchAsAKnownOne(t *testing.T) {
	costly := "$argon2id$v=19$m=65536,t=3,p=2$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	u := parsed(t, "- {name: a, subject: a, passwordHash: '"+HashPassword("x")+"'}\n- {name: b, subject: b, passwordHash: '"+costly+"'}\n")
	if n := u.dummyHash; n.memory != 65536 || n.passes != 3 || n.parallelism != 2 || len(n.key) != 32 {
		t.Errorf("nobody costs %+v", n)
	}
	if n := parsed(t, "  []").dummyHash; n.memory != 19456 || n.passes != 2 {
		t.Errorf("without users nobody costs %+v", n)
	}
}

func TestBusy(t *testing.T) {
	h := NewHasher(1, 100<<20)
	l := listing(parsed(t, "  []"), h)
	release, err := h.Patient().acquire(t.Context(), defaultHash())
	if err != nil {
		t.Fatal(err)
	}
	h.wait = time.Millisecond
	if _, err := l.Authenticate(t.Context(), "a", "b"); !errors.Is(err, ErrBusy) {
		t.Errorf("with no slot free: %v", err)
	}
	release()
	h.Patient()
	if _, err := l.Authenticate(t.Context(), "a", "b"); !errors.Is(err, ErrDenied) {
		t.Errorf("with a slot free: %v", err)
	}
	h.waiting.Store(h.bound)
	if _, err := l.Authenticate(t.Context(), "a", "b"); !errors.Is(err, ErrBusy) {
		t.Errorf("with a full queue: %v", err)
	}
}

// The memory of the hashes bounds them too: one that alone takes more than there is goes alone.
func TestMemoryBoundsHashes(t *testing.T) {
	h := NewHasher(8, defaultHash().workerBytes())
	huge := Hash{memory: maxMemory}
	for _, hash := range []Hash{defaultHash(), huge} {
		release, err := h.Patient().acquire(t.Context(), hash)
		if err != nil {
			t.Fatal(err)
		}
		h.wait = time.Millisecond
		if _, err := h.acquire(t.Context(), defaultHash()); !errors.Is(err, ErrBusy) {
			t.Errorf("another hash beside one of %d KiB: %v", hash.memory, err)
		}
		release()
	}
	for _, c := range []struct {
		cores int
		limit int64
		slots int
	}{{4, 0, 4}, {2, 1 << 50, 2}, {8, 256 << 20, 4}, {1, 256 << 20, 1}, {4, 1 << 20, 1}} {
		if slots, budget := Slots(c.cores, c.limit); slots != c.slots || budget <= 0 {
			t.Errorf("%d cores and %d bytes: %d slots in %d bytes", c.cores, c.limit, slots, budget)
		}
	}
}

func TestBcrypt(t *testing.T) {
	hashOf := func(password string) string {
		b, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	full := strings.Repeat("x", 72)
	h, err := ParseHash(hashOf(full))
	if err != nil || !h.matches(full) || h.matches(full[1:]) {
		t.Fatalf("72 bytes: %v", err)
	}
	if h.matches(full + "y") {
		t.Error("what follows 72 bytes was ignored")
	}
	htpasswd := strings.Replace(hashOf("x"), "$2a$", "$2y$", 1)
	if h, err := ParseHash(htpasswd); err != nil || !h.matches("x") || h.String() != htpasswd {
		t.Errorf("%s: %v", htpasswd, err)
	}
	nobody := h.dummy()
	if again, err := ParseHash(nobody.String()); err != nil || again.matches(full) || again.cost() != h.cost() {
		t.Errorf("nobody is %s: %v", nobody, err)
	}
	for _, bad := range []string{strings.Replace(htpasswd, "$10$", "$09$", 1), strings.Replace(htpasswd, "$10$", "$16$", 1), htpasswd + "x", "$2", "$2y$10$"} {
		if _, err := ParseHash(bad); err == nil {
			t.Errorf("accepted %s", bad)
		}
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
		"no name":          {"- {subject: s, passwordHash: '" + hash + "'}", "line 4: users[0].name: must be a user name"},
		"no subject":       {"- {name: a, passwordHash: '" + hash + "'}", "line 4: users[0].subject: must have"},
		"subject a client": {"- {name: a, subject: 'client:x', passwordHash: '" + hash + "'}", "not begin with client:"},
		"name with a NUL":  {"- {name: \"a\\0\", subject: s, passwordHash: '" + hash + "'}", "users[0].name: must be a user name"},
		"subject a line":   {"- {name: a, subject: \"a\\nb\", passwordHash: '" + hash + "'}", "line 4: users[0].subject: must have"},
		"subject mirrored": {"- {name: a, subject: \"a\\u202eb\", passwordHash: '" + hash + "'}", "line 4: users[0].subject: must have"},
		"no hash":          {"- {name: a, subject: s}", "passwordHash: is not an argon2id hash"},
		"a secret":         {strings.Replace(ok, "}", ", claims: {a: {apiKey: x}}}", 1), "apiKey looks like a secret, by its name"},
		"name twice":       {ok + strings.Replace(ok, "subject: s", "subject: t", 1), `line 5: users[1].name: two users have the name "a"`},
		"subject twice":    {ok + strings.Replace(ok, "name: a", "name: b", 1), "is also the subject of another user"},
		"reserved claim":   {strings.Replace(ok, "}", ", claims: {iss: x}}", 1), "claims.iss: is reserved"},
		"in another case":  {strings.Replace(ok, "}", ", claims: {Iss: x}}", 1), "claims.Iss: is reserved"},
		"not a scope":      {strings.Replace(ok, "}", ", scopes: ['a b']}", 1), "must be a list of scopes"},
		"unknown field":    {strings.Replace(ok, "}", ", admin: true}", 1), "line 4: users[0]: unknown field; the known fields are claims, disabled, name, passwordHash, scopes, subject"},
		"mistyped":         {strings.Replace(ok, "}", ", disabled: maybe}", 1), "line 4: users[0].disabled: must be true or false"},
		"repeated field":   {strings.Replace(ok, "}", ", name: b}", 1), "line 4: users[0].name: is set twice: it is also in line 4"},
		"claims a list":    {strings.Replace(ok, "}", ", claims: [a]}", 1), "line 4: users[0].claims: must be a mapping"},
		"a claim twice":    {strings.Replace(ok, "}", ", claims: {a: 1, a: 2}}", 1), "already defined at line 4"},
		"no JSON":          {strings.Replace(ok, "}", ", claims: {a: {1: 2}}}", 1), "line 4: users[0].claims: must be a value that JSON can represent"},
		"infinite":         {strings.Replace(ok, "}", ", claims: {a: .inf}}", 1), "line 4: users[0].claims: must be a value that JSON can represent"},
		"two documents":    {ok + "---\n", "must be one YAML document"},
		"empty entry":      {"- \n", "line 4: users[0]: has no value"},
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
	f.Add("$2y$10$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	for _, text := range pbkdf2Vectors() {
		f.Add(text)
	}
	f.Add("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHash(text)
		if err == nil && h.bcrypt == "" && h.pbkdf2 == nil && h.memory <= 64 && h.passes == 1 {
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
				if name == "" || user.Subject == "" || user.hash.String() == "" {
					t.Errorf("accepted %+v", user)
				}
			}
		}
	})
}
