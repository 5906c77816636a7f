// Package slapdtest starts OpenLDAP servers for tests.
package slapdtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The binary of the server, and the variable that makes it mandatory.
const (
	program = "/usr/sbin/slapd"
	// Required is the environment variable that makes tests fail, instead of skip, if slapd is missing.
	Required = "REQUIRE_SLAPD"
)

// SearcherPassword is the password of cn=searcher,dc=example,dc=com, which may read all entries except passwords.
const SearcherPassword = "canary-searcher-password"

// Start starts a server at an ldaps URL, with tls.crt and tls.key of a directory. It contains dc=example,dc=com, the
// searcher, and the given LDIF entries (RFC 2849). It runs until stop is called, or the test ends.
func Start(t testing.TB, certificate, entries string) (url string, stop func()) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv(Required) != "" {
			t.Fatal("slapd is needed: apt-get install slapd")
		}
		t.Skip("slapd is missing: apt-get install slapd")
	}
	directory := t.TempDir()
	in := func(name string) string { return filepath.Join(directory, name) }
	check(t, os.Mkdir(in("data"), 0o700))
	check(t, os.WriteFile(in("slapd.conf"), fmt.Appendf(nil, `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile %[1]s/tls.crt
TLSCertificateKeyFile %[1]s/tls.key
security simple_bind=128
database mdb
suffix "dc=example,dc=com"
directory %[2]s
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=searcher,dc=example,dc=com" read by * none
`, certificate, in("data")), 0o600))
	check(t, os.WriteFile(in("data.ldif"), fmt.Appendf(nil, `dn: dc=example,dc=com
objectClass: domain
dc: example

dn: cn=searcher,dc=example,dc=com
objectClass: person
cn: searcher
sn: searcher
userPassword: %s

%s`, SearcherPassword, entries), 0o600))
	add := exec.CommandContext(t.Context(), "/usr/sbin/slapadd", "-f", in("slapd.conf"), "-l", in("data.ldif")) //nolint:gosec // files of a test
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	address := free.Addr().String()
	check(t, free.Close())
	cmd := exec.Command(program, "-d", "0", "-f", in("slapd.conf"), "-h", "ldaps://"+address) //nolint:gosec,noctx // it ends with stop
	check(t, cmd.Start())
	stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	t.Cleanup(stop)
	for range 1000 {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return "ldaps://" + address, stop
		}
		<-time.After(20 * time.Millisecond)
	}
	t.Fatalf("slapd does not listen at %s", address)
	return "", nil
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
