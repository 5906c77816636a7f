package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keywright/keywright/issuer/login"
)

func try(t *testing.T, in string, args ...string) (string, error) {
	t.Helper()
	var out, log bytes.Buffer
	err := run(t.Context(), args, strings.NewReader(in), &out, &log)
	return out.String() + log.String(), err
}

func TestHash(t *testing.T) {
	out, err := try(t, "correct horse\n", "hash")
	if err != nil || strings.Contains(out, "horse") {
		t.Fatalf("%s %v", out, err)
	}
	if _, err := login.ParseHash(strings.TrimSpace(out)); err != nil {
		t.Errorf("%s: %v", out, err)
	}
	entry, err := try(t, "correct horse", "hash", "alice: x")
	if err != nil {
		t.Fatal(err)
	}
	list := "apiVersion: issuer.keywright.dev/v1alpha1\nkind: UserList\nusers:\n" + entry
	if users, err := login.ParseUsers([]byte(list)); err != nil || users.Len() != 1 {
		t.Errorf("%s: %v", list, err)
	}
	for _, bad := range []string{"", "\n", "a\x00b", strings.Repeat("x", 1025)} {
		if _, err := try(t, bad, "hash"); err == nil {
			t.Errorf("a password of %d bytes was hashed", len(bad))
		}
	}
}

func TestNewSecret(t *testing.T) {
	out, err := try(t, "", "new-secret")
	fields := strings.Fields(out)
	if err != nil || len(fields) != 4 {
		t.Fatalf("%s %v", out, err)
	}
	digest := sha256.Sum256([]byte(fields[1]))
	if hex.EncodeToString(digest[:]) != fields[3] {
		t.Errorf("the digest is not that of the secret: %s", out)
	}
}

func TestCommands(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "issuer.yaml")
	if err := os.WriteFile(broken, []byte("kind: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args  string
		fails string
	}{
		{"", ""},
		{"help", ""},
		{"--help", ""},
		{"version", ""},
		{"serve --help", ""},
		{"check-config -h", ""},
		{"hash -h", ""},
		{"help hash", ""},
		{"sreve", `there is no command "sreve"; did you mean serve?`},
		{"check-config " + broken, "line 1: kind: must be IssuerConfiguration"},
		{"serve --config " + broken, "kind: must be IssuerConfiguration"},
		{"serve --config /nowhere", "no such file"},
		{"serve --verbose", "flag provided but not defined"},
		{"serve " + broken, "takes no arguments, got 1"},
		{"check-config", "takes 1 argument, got 0"},
		{"check-config " + filepath.Join(filepath.Dir(broken), "none.yaml"), "no such file"},
	} {
		out, err := try(t, "", strings.Fields(c.args)...)
		if (err == nil) != (c.fails == "") || (err != nil && !strings.Contains(err.Error(), c.fails)) {
			t.Errorf("issuer %s: want %q, got %v", c.args, c.fails, err)
		}
		if err == nil && out == "" {
			t.Errorf("issuer %s says nothing", c.args)
		}
	}
}
