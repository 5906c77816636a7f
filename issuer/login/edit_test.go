package login_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/issuer/login"
)

const (
	head  = "apiVersion: issuer.keywright.dev/v1alpha1\nkind: UserList\n"
	hashA = "$argon2id$v=19$m=19456,t=2,p=1$kJ+s/ODyjbCXKoQZfYfUYQ$9J4xouZGbi7Apc+u3tNsQvjVWN8PPKLf3kN1KsFgCEc"
	hashB = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

// written is a list as people write it.
const written = `# Who may log in. Ask the platform team.
apiVersion: issuer.keywright.dev/v1alpha1
kind: UserList

users:   # by name
# the first one
- name:   alice      # on leave
  subject: 6d1c9e2a
  passwordHash: ` + hashA + ` # of May

  claims: {email: 'alice@example.com', groups: [ staff, "on call" ]}

# Bob was hired in June.
- {name: bob, subject: "b", passwordHash: '` + hashA + `', disabled: false} # one line
-   name: "carol"
    subject: c
    disabled: true
    passwordHash: "` + hashA + `"
    claims:
      note: |
        # not a comment
        - name: x
# the end
`

func TestAChangeTouchesTheLinesOfOneUser(t *testing.T) {
	carol := "    claims:\n      note: |\n        # not a comment\n        - name: x\n"
	for name, c := range map[string]struct {
		change func(*login.Edit) error
		want   string
	}{
		"a password":           {setHash("alice"), strings.Replace(written, hashA+" # of May", hashB+" # of May", 1)},
		"a password in a flow": {setHash("bob"), strings.Replace(written, "'"+hashA+"'", "'"+hashB+"'", 1)},
		"a password in quotes": {setHash("carol"), strings.Replace(written, `"`+hashA+`"`, "'"+hashB+"'", 1)},
		"disable":              {disable("alice", true), strings.Replace(written, "# of May\n", "# of May\n  disabled: true\n", 1)},
		"disable in a flow":    {disable("bob", true), strings.Replace(written, "disabled: false", "disabled: true", 1)},
		"enable":               {disable("carol", false), strings.Replace(written, "disabled: true", "disabled: false", 1)},
		"remove the first":     {remove("alice"), strings.Replace(written, written[strings.Index(written, "# the first one"):strings.Index(written, "# Bob")], "", 1)},
		"remove one line":      {remove("bob"), strings.Replace(written, written[strings.Index(written, "# Bob"):strings.Index(written, "-   name")], "", 1)},
		"remove between blank lines": {
			func(e *login.Edit) error { return errors.Join(e.Remove("carol"), add("dave")(e), e.Remove("bob")) },
			strings.Replace(written, written[strings.Index(written, "# Bob"):strings.Index(written, "# the end")], "- name: dave\n  subject: new-dave\n  passwordHash: "+hashB+"\n", 1),
		},
		"add": {
			func(e *login.Edit) error {
				return e.Add(&login.NewUser{Name: "dave", Subject: "d", PasswordHash: hashB, Disabled: true, Scopes: []string{"read", "write:x"}, Claims: []login.NewClaim{
					{Name: "email", Value: "dave@example.com"}, {Name: "groups", Value: `["staff","no"]`}, {Name: "level", Value: "7"}, {Name: "badge", Value: "007"}, {Name: "boss", Value: `{"name": "x: y"}`},
				}})
			},
			strings.Replace(written, carol, carol+"- name: dave\n  subject: d\n  passwordHash: "+hashB+"\n  disabled: true\n  scopes: [read, 'write:x']\n  claims:\n"+
				"    email: dave@example.com\n    groups: [staff, no]\n    level: 7\n    badge: \"007\"\n    boss: {name: 'x: y'}\n", 1),
		},
	} {
		e, err := login.EditUsers([]byte(written))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.change(e); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, string(e.Bytes())); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		if users, err := login.ParseUsers(e.Bytes()); err != nil || users.Len() != e.Users().Len() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func setHash(name string) func(*login.Edit) error {
	return func(e *login.Edit) error { return e.SetPasswordHash(name, hashB) }
}

func disable(name string, disabled bool) func(*login.Edit) error {
	return func(e *login.Edit) error { return e.SetDisabled(name, disabled) }
}

func remove(name string) func(*login.Edit) error {
	return func(e *login.Edit) error { return e.Remove(name) }
}

func add(name string) func(*login.Edit) error {
	return func(e *login.Edit) error {
		return e.Add(&login.NewUser{Name: name, Subject: "new-" + name, PasswordHash: hashB})
	}
}

// Whatever the form of a list, a change makes a list that says what it should and nothing else.
func TestListsOfOtherForms(t *testing.T) {
	entry := func(name string) string {
		return "{name: " + name + ", subject: s-" + name + ", passwordHash: '" + hashA + "'}"
	}
	quoted := func(name string) string {
		return `{"name": "` + name + `", "subject": "s-` + name + `", "passwordHash": "` + hashA + `"}`
	}
	folded := strings.Replace(hashA, "$kJ", "\\\n    $kJ", 1)
	for name, text := range map[string]string{
		"empty":            login.EmptyList,
		"nothing":          head,
		"a flow":           head + "users: [" + entry("a") + ", " + entry("b") + "] # people\n",
		"JSON":             `{"apiVersion": "issuer.keywright.dev/v1alpha1", "kind": "UserList", "users": [` + quoted("a") + ", " + quoted("b") + "]}",
		"indented":         head + "users:\n  - " + entry("a") + "\n  - name: b\n    subject: s-b\n    passwordHash: " + hashA,
		"users first":      "users:\n- " + entry("a") + "\n- " + entry("b") + "\n\n# what it is\n" + head,
		"no end of line":   head + "users:\n- " + entry("a"),
		"CRLF":             strings.ReplaceAll(head+"users:\n- name: a\n  subject: s\n  passwordHash: "+hashA+"\n- "+entry("b")+"\n", "\n", "\r\n"),
		"a document":       "---\n" + head + "users:\n- " + entry("a") + "\n- " + entry("b") + "\n...\n",
		"quoted keys":      head + "users:\n- \"name\": a\n  'subject': s-a\n  \"passwordHash\": '" + hashA + "'\n",
		"a line by itself": head + "users:\n-\n  name: a\n  subject: s-a\n  passwordHash:\n    " + hashA + "\n- " + entry("b") + "\n",
		"folded":           head + "users:\n- name: a\n  subject: s-a\n  passwordHash: \"" + folded + "\"\n- " + entry("b") + "\n",
		"block":            head + "users:\n- name: a\n  subject: s-a\n  passwordHash: >-\n    " + hashA + "\n- " + entry("b") + "\n",
		"tagged":           head + "users:\n- name: a\n  subject: s-a\n  passwordHash: !!str " + hashA + "\n- " + entry("b") + "\n",
		"wide":             head + "users:\n- {name: 'ä', subject: s-ä, passwordHash: '" + hashA + "', disabled: false}\n- {name: a, subject: é, claims: {x: 日本}, passwordHash: '" + hashA + "'}\n",
	} {
		before := must(t, text)
		for _, user := range before.Users().Describe() {
			for how, change := range map[string]func(*login.Edit) error{"set": setHash(user.Name), "disable": disable(user.Name, true), "enable": disable(user.Name, false), "remove": remove(user.Name), "add": add("new")} {
				changed(t, name+", "+how, text, user.Name, how, change)
			}
		}
		changed(t, name+", add", text, "", "add", add("new"))
	}
}

// changed makes a change, and looks at what all users are afterwards.
func changed(t *testing.T, name, text, user, how string, change func(*login.Edit) error) {
	t.Helper()
	e := must(t, text)
	want := e.Users().Describe()
	for i := range want {
		if want[i].Name == user && (how == "disable" || how == "enable") {
			want[i].Disabled = how == "disable"
		}
		if want[i].Name == user && how == "remove" {
			want = append(want[:i:i], want[i+1:]...)
			break
		}
	}
	if how == "add" {
		want = append(want, login.Description{Name: "new", Subject: "new-new", Hash: login.HashDescription{Scheme: "argon2id", Cost: "m=19456,t=2,p=1"}})
	}
	if err := change(e); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	again := must(t, string(e.Bytes()))
	if diff := cmp.Diff(want, again.Users().Describe()); diff != "" {
		t.Errorf("%s:\n%s\n%s", name, diff, e.Bytes())
	}
	if n := strings.Count(string(e.Bytes()), hashB); how == "set" && n != 1 {
		t.Errorf("%s: %d new hashes\n%s", name, n, e.Bytes())
	}
	if strings.Count(text, "#") > strings.Count(string(e.Bytes()), "#") && how != "remove" {
		t.Errorf("%s: a comment is lost\n%s", name, e.Bytes())
	}
}

func TestHowPasswordsAreHashed(t *testing.T) {
	text := head + "users:\n"
	salt := strings.Repeat("A", 22)
	want := []login.HashDescription{{Scheme: "argon2id", Cost: "m=19456,t=2,p=1"}, {Scheme: "bcrypt", Cost: "12"}, {Scheme: "pbkdf2-sha256", Cost: "600000"}, {Scheme: "pbkdf2-sha512", Cost: "210000"}}
	for i, hash := range []string{
		hashA, "$2y$12$" + strings.Repeat("A", 53), "pbkdf2_sha256$600000$saltsaltsaltsalt$" + strings.Repeat("A", 43) + "=",
		"$pbkdf2-sha512$210000$" + salt + "$" + strings.Repeat("A", 86),
	} {
		text += fmt.Sprintf("- {name: u%d, subject: s%d, passwordHash: '%s'}\n", i, i, hash)
	}
	for i, user := range must(t, text).Users().Describe() {
		if user.Hash != want[i] {
			t.Errorf("%+v, want %+v", user.Hash, want[i])
		}
	}
}

func TestTheFirstUser(t *testing.T) {
	e := must(t, "# ours\n"+login.EmptyList)
	if err := add("e\u0301")(e); err != nil {
		t.Fatal(err)
	}
	want := "# ours\n" + head + "users:\n- name: \u00e9\n  subject: new-e\u0301\n  passwordHash: " + hashB + "\n"
	if diff := cmp.Diff(want, string(e.Bytes())); diff != "" {
		t.Error(diff)
	}
	e = must(t, head+"users:\n- {name: a, subject: a, passwordHash: '"+hashA+"'}\n\n# b\n- {name: b, subject: b, passwordHash: '"+hashA+"'}\n\n- {name: c, subject: c, passwordHash: '"+hashA+"'}\n")
	want = strings.Replace(string(e.Bytes()), "# b\n- {name: b, subject: b, passwordHash: '"+hashA+"'}\n\n", "", 1)
	if err := e.Remove("b"); err != nil || string(e.Bytes()) != want {
		t.Errorf("%v\n%s", err, e.Bytes())
	}
	if err := errors.Join(e.Remove("c"), e.Remove("a")); err != nil || string(e.Bytes()) != head+"users: []\n" {
		t.Errorf("%v\n%s", err, e.Bytes())
	}
}

// What looks like a comment above a user may be the end of what another one says.
func TestNoTextOfAnotherUserIsLost(t *testing.T) {
	text := head + "users:\n- name: a\n  subject: a\n  passwordHash: " + hashA + "\n  claims:\n    note: |\n      one\n      # kept\n- {name: b, subject: b, passwordHash: '" + hashA + "'}\n"
	for how, change := range map[string]func(*login.Edit) error{"remove": remove("b"), "add": add("c"), "disable": disable("b", true)} {
		e := must(t, text)
		if err := change(e); err != nil || !strings.Contains(string(e.Bytes()), "# kept\n") {
			t.Errorf("%s: %v\n%s", how, err, e.Bytes())
		}
	}
}

func must(t *testing.T, text string) *login.Edit {
	t.Helper()
	e, err := login.EditUsers([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return e
}

func TestChangesThatAreRefused(t *testing.T) {
	anchors := head + "users:\n- {name: a, subject: a, passwordHash: &h '" + hashA + "'}\n- {name: b, subject: b, passwordHash: *h}\n"
	for name, c := range map[string]struct {
		text   string
		change func(*login.Edit) error
		says   string
	}{
		"nobody":         {written, setHash("nobody"), `there is no user "nobody" in the list`},
		"nobody's name":  {written, setHash("a\x00"), "must have 1 to 256 bytes"},
		"no hash":        {written, func(e *login.Edit) error { return e.SetPasswordHash("alice", "hunter2") }, "passwordHash: is not an argon2id hash"},
		"name twice":     {written, add("alice"), `user "alice" is already in the list`},
		"prepared twice": {head + "users:\n- {name: \"\u00e9\", subject: e, passwordHash: '" + hashA + "'}\n", add("e\u0301"), "is already in the list"},
		"subject twice":  {written, func(e *login.Edit) error { return e.Add(&login.NewUser{Name: "x", Subject: "b", PasswordHash: hashB}) }, `the user "bob" already has this subject`},
		"bad subject": {written, func(e *login.Edit) error {
			return e.Add(&login.NewUser{Name: "x", Subject: "client:b", PasswordHash: hashB})
		}, "subject: must have 1 to 255"},
		"bad scope": {written, func(e *login.Edit) error {
			return e.Add(&login.NewUser{Name: "x", Subject: "x", PasswordHash: hashB, Scopes: []string{"a b"}})
		}, "must be a list of scopes"},
		"reserved claim": {written, func(e *login.Edit) error {
			return e.Add(&login.NewUser{Name: "x", Subject: "x", PasswordHash: hashB, Claims: []login.NewClaim{{Name: "iss", Value: "x"}}})
		}, "claims.iss: is reserved"},
		"a shared hash": {anchors, setHash("a"), "edit it by hand"},
	} {
		e := must(t, c.text)
		if err := c.change(e); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: want %q, got %v", name, c.says, err)
		}
		if string(e.Bytes()) != c.text {
			t.Errorf("%s: it is changed", name)
		}
	}
	if _, err := login.EditUsers([]byte(head + "users:\n- {name: a}\n")); err == nil || !strings.Contains(err.Error(), "users[0].subject") {
		t.Errorf("a list that is wrong: %v", err)
	}
}

// What was changed is what the issuer reads: the new password logs in, and not the old one, until the user is disabled.
func TestAChangedListLogsIn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.yaml")
	e := must(t, written)
	authenticate := func(name, password string) error {
		t.Helper()
		if err := os.WriteFile(path, e.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		users, err := login.ParseUsers(b)
		if err != nil {
			t.Fatal(err)
		}
		list := login.NewList(func() (*login.Users, bool) { return users, true }, login.NewHasher(1, 1<<30).Patient())
		_, err = list.Authenticate(t.Context(), name, password)
		return err
	}
	for i, password := range []string{"correct horse", "p\u00e4ss", "  spaces  "} {
		hash, err := login.HashNewPassword(password)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			err = e.Add(&login.NewUser{Name: "dave", Subject: login.NewSubject(), PasswordHash: hash})
		} else {
			err = e.SetPasswordHash("dave", hash)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := authenticate("dave", password); err != nil {
			t.Errorf("%q: %v", password, err)
		}
	}
	if authenticate("dave", "correct horse") == nil {
		t.Error("the old password logs in")
	}
	if err := e.SetDisabled("dave", true); err != nil || authenticate("dave", "  spaces  ") == nil {
		t.Errorf("a disabled user logs in: %v", err)
	}
	if err := e.SetDisabled("dave", false); err != nil || authenticate("dave", "  spaces  ") != nil {
		t.Errorf("an enabled user does not log in: %v", err)
	}
	for _, bad := range []string{"", "a\x00b", strings.Repeat("x", 1025)} {
		if _, err := login.HashNewPassword(bad); err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("a password of %d bytes: %v", len(bad), err)
		}
	}
}

func FuzzEditUsers(f *testing.F) {
	f.Add([]byte(written))
	f.Add([]byte(login.EmptyList))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := login.EditUsers(text)
		if err != nil {
			return
		}
		n := e.Users().Len()
		if e.Add(&login.NewUser{Name: "new", Subject: "new-new", PasswordHash: hashB}) == nil {
			if n++; e.Users().Len() != n {
				t.Errorf("%d users after one was added", e.Users().Len())
			}
		}
		for _, user := range e.Users().Describe() {
			if e.SetDisabled(user.Name, true) == nil {
				if found, err := e.Find(user.Name); err != nil || !found.Disabled {
					t.Errorf("%q is not disabled: %v", user.Name, err)
				}
			}
			if e.Remove(user.Name) == nil {
				if n--; e.Users().Len() != n {
					t.Errorf("%d users after one was removed", e.Users().Len())
				}
			}
		}
	})
}
