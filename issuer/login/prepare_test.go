package login

import (
	"testing"
)

// Names and passwords that look the same are the same, whichever keyboard they were typed on (RFC 8265).
func TestPreparedNamesAndPasswords(t *testing.T) {
	const composed, decomposed = "J\u00fcrgen", "Ju\u0308rgen"
	list := listing(parsed(t, "- {name: "+decomposed+", subject: a, passwordHash: '"+HashPassword("caf\u00e9 1")+"'}\n"), NewHasher(1, 1<<30))
	for _, name := range []string{composed, decomposed, "\uff2a\u00fcrgen"} { // the last begins with a wide J
		for _, password := range []string{"caf\u00e9 1", "cafe\u0301 1", "caf\u00e9\u00a01"} {
			if _, err := list.Authenticate(t.Context(), name, password); err != nil {
				t.Errorf("%q with %q: %v", name, password, err)
			}
		}
	}
	for _, c := range [][2]string{{"j\u00fcrgen", "caf\u00e9 1"}, {composed, "Caf\u00e9 1"}, {composed, "cafe 1"}, {composed, ""}, {"", "x"}, {composed, "a\x00b"}, {"a\tb", "x"}} {
		if _, err := list.Authenticate(t.Context(), c[0], c[1]); err == nil {
			t.Errorf("%q with %q is let in", c[0], c[1])
		}
	}
	for _, c := range [][2]string{{"", "x"}, {"x", ""}, {"x", "a\x00b"}, {"a\x00b", "x"}} {
		if _, _, ok := Prepare(c[0], c[1]); ok {
			t.Errorf("%q with %q can be somebody's", c[0], c[1])
		}
	}
	for name, want := range map[string]string{"Alice Smith": "Alice Smith", "EXAMPLE\\alice": "EXAMPLE\\alice", "alice@example.com": "alice@example.com", "Ana Mar\u0131a": "Ana Mar\u0131a"} {
		if got, err := PrepareName(name); err != nil || got != want {
			t.Errorf("%q is %q: %v", name, got, err)
		}
	}
	if _, err := ParseUsers(listOf("- {name: " + composed + ", subject: a, passwordHash: '" + HashPassword("x") + "'}\n- {name: " + decomposed + ", subject: b, passwordHash: '" + HashPassword("x") + "'}\n")); err == nil {
		t.Error("two users of one name")
	}
}
