// Package conformance contains the conformance tests for implementations of login.Directory.
package conformance

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/issuer/login"
)

// Password is the password of the users alice and bob. The directory under test must contain exactly these users, bob
// disabled, and alice with Attributes.
const Password = "correct horse, bättery stäple"

// Attributes returns the attributes of alice.
func Attributes() map[string]any {
	return map[string]any{"email": "alice@example.com", "groups": []string{"engineers", "staff"}}
}

// Test runs all tests.
func Test(t *testing.T, directory login.Directory) {
	t.Run("alice logs in", func(t *testing.T) { aliceLogsIn(t, directory) })
	t.Run("nobody else does", func(t *testing.T) { nobodyElseDoes(t, directory) })
	t.Run("alice is looked up", func(t *testing.T) { lookupReturnsTheSameUser(t, directory) })
	t.Run("many at once", func(t *testing.T) { manyAtOnce(t, directory) })
	t.Run("one who went away is not let in", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if user, err := directory.Authenticate(ctx, "alice", Password); err == nil || errors.Is(err, login.ErrDenied) {
			t.Errorf("%v %v", user, err)
		}
	})
}

func aliceLogsIn(t *testing.T, directory login.Directory) {
	user, err := directory.Authenticate(t.Context(), "alice", Password)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Attributes(), texts(user.Attributes)); user.Subject == "" || user.Subject == "alice" || diff != "" {
		t.Errorf("subject %q, attributes %s", user.Subject, diff)
	}
	again, err := directory.Authenticate(t.Context(), "alice", Password)
	if err != nil || again.Subject != user.Subject {
		t.Errorf("her subject is %q, and then %q: %v", user.Subject, again.Subject, err)
	}
}

// lookupReturnsTheSameUser checks that Lookup and Authenticate return the same user.
func lookupReturnsTheSameUser(t *testing.T, directory login.Directory) {
	loggedIn, err := directory.Authenticate(t.Context(), "alice", Password)
	if err != nil {
		t.Fatal(err)
	}
	found, err := directory.Lookup(t.Context(), "alice")
	if diff := cmp.Diff(loggedIn, found); err != nil || diff != "" {
		t.Errorf("%v, %s", err, diff)
	}
	for _, name := range []string{"bob", "mallory", "", "*", "a*", "alice)(uid=*", "alice\x00", "uid=alice,ou=people,dc=example,dc=com", strings.Repeat("x", 256)} {
		if user, err := directory.Lookup(t.Context(), name); !errors.Is(err, login.ErrDenied) || user != nil {
			t.Errorf("%q: %v %v", name, user, err)
		}
	}
}

func nobodyElseDoes(t *testing.T, directory login.Directory) {
	for _, c := range []struct{ name, password string }{
		{"alice", "wrong"},
		{"alice", Password + " "},
		{"alice", strings.ToUpper(Password)},
		{"alice", ""},
		{"alice", "\x00"},
		{"alice", Password + "\x00"},
		{"alice", Password + "\x00" + Password},
		{"alice", strings.Repeat("x", 1024)},
		{"bob", Password},
		{"bob", "wrong"},
		{"mallory", Password},
		{"", Password},
		{"*", Password},
		{"a*", Password},
		{"alice)(uid=*", Password},
		{"alice)(|(uid=*)", Password},
		{"alice\x00", Password},
		{"\\61lice", Password},
		{"uid=alice,ou=people,dc=example,dc=com", Password},
		{strings.Repeat("x", 256), Password},
	} {
		if user, err := directory.Authenticate(t.Context(), c.name, c.password); !errors.Is(err, login.ErrDenied) || user != nil {
			t.Errorf("%q with %.40q: %v %v", c.name, c.password, user, err)
		}
	}
}

func manyAtOnce(t *testing.T, directory login.Directory) {
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			password, want := Password, error(nil)
			if i%2 == 1 {
				password, want = "wrong", login.ErrDenied
			}
			if _, err := directory.Authenticate(t.Context(), "alice", password); !errors.Is(err, want) {
				t.Errorf("login %d: %v, want %v", i, err, want)
			}
		})
	}
	all.Wait()
}

// texts converts lists of strings, which may have been decoded from JSON.
func texts(attributes map[string]any) map[string]any {
	out := map[string]any{}
	for name, value := range attributes {
		if list, ok := value.([]any); ok {
			all := make([]string, len(list))
			for i := range list {
				all[i], _ = list[i].(string)
			}
			value = all
		}
		out[name] = value
	}
	return out
}
