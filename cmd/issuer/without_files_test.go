package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A pipeline has the document, and no mounted file.
func TestCheckConfigWithoutFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "issuer.yaml")
	text := strings.ReplaceAll(mounted(t)["issuer.yaml"], "DIR", "/nowhere")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	if out, err := try(t, "", "check-config", "--without-files", path); err != nil ||
		out != path+": configuration is valid: issuer https://issuer.example.com, 1 clients, files not checked\n" {
		t.Errorf("%v %s", err, out)
	}
	if _, err := try(t, "", "check-config", path); err == nil || !strings.Contains(err.Error(), "/nowhere/tls.crt") {
		t.Errorf("with files: %v", err)
	}
	write(strings.Replace(text, "baseDN:", "baseDn:", 1))
	if _, err := try(t, "", "check-config", path, "--without-files"); err == nil || err.Error() != path+": line 12: users.ldap.users.baseDn: unknown field; did you mean baseDN?" {
		t.Errorf("a document that is wrong: %v", err)
	}
}
