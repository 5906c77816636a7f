package ldap_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/login/conformance"
)

const searcherPassword = "searcher-password"

// slapd is a running OpenLDAP server.
type slapd struct {
	*testing.T
	directory   string
	ldap, ldaps string
	cmd         *exec.Cmd
}

// newSlapd starts Debian's slapd with two users and two groups, one within the other.
func newSlapd(t *testing.T) *slapd {
	t.Helper()
	return newSlapdWith(t, "", "")
}

// newSlapdWith adds to its configuration, at the end of the database, and to its data.
func newSlapdWith(t *testing.T, configuration, ldif string) *slapd {
	t.Helper()
	if _, err := exec.LookPath("/usr/sbin/slapd"); err != nil {
		if os.Getenv("REQUIRE_SLAPD") != "" {
			t.Fatal("slapd is needed: apt-get install slapd")
		}
		t.Skip("slapd is missing: apt-get install slapd")
	}
	s := &slapd{T: t, directory: t.TempDir()}
	s.certificate()
	in := func(name string) string { return filepath.Join(s.directory, name) }
	s.must(os.Mkdir(in("data"), 0o700))
	s.write("slapd.conf", fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload back_null
moduleload retcode
pidfile %[1]s/slapd.pid
TLSCertificateFile %[1]s/tls.crt
TLSCertificateKeyFile %[1]s/tls.key
security simple_bind=128
database mdb
suffix "dc=example,dc=com"
rootdn "cn=root,dc=example,dc=com"
directory %[1]s/data
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=searcher,dc=example,dc=com" read by * none
%[2]s
`, s.directory, configuration))
	s.write("data.ldif", data()+"\n"+ldif)
	s.write("password", searcherPassword+"\n")
	if out, err := exec.Command("/usr/sbin/slapadd", "-f", in("slapd.conf"), "-l", in("data.ldif")).CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	s.ldap, s.ldaps = "ldap://"+freeAddress(t), "ldaps://"+freeAddress(t)
	s.start()
	t.Cleanup(s.stop)
	return s
}

func data() string {
	return fmt.Sprintf(`dn: dc=example,dc=com
objectClass: domain
dc: example

dn: cn=searcher,dc=example,dc=com
objectClass: person
cn: searcher
sn: searcher
userPassword: %[1]s

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: uid=alice,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: A
mail: alice@example.com
userPassword: %[2]s

dn: uid=bob,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: B
employeeType: disabled
userPassword: %[2]s

dn: ou=groups,dc=example,dc=com
objectClass: organizationalUnit
ou: groups

dn: cn=engineers,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: engineers
member: uid=alice,ou=people,dc=example,dc=com
member: cn=staff,ou=groups,dc=example,dc=com

dn: cn=staff,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: staff
member: cn=engineers,ou=groups,dc=example,dc=com
member: uid=bob,ou=people,dc=example,dc=com
`, searcherPassword, conformance.Password)
}

func (s *slapd) start() {
	s.Helper()
	log, err := os.Create(filepath.Join(s.directory, "slapd.log"))
	s.must(err)
	s.cmd = exec.Command("/usr/sbin/slapd", "-d", "stats", "-f", filepath.Join(s.directory, "slapd.conf"), "-h", s.ldap+" "+s.ldaps)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.must(s.cmd.Start())
	_ = log.Close()
	address := strings.TrimPrefix(s.ldaps, "ldaps://")
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(20 * time.Second)
	for range ticker.C {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			b, _ := os.ReadFile(log.Name())
			s.Fatalf("slapd does not listen\n%s", b)
		}
	}
}

func (s *slapd) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *slapd) settings() *config.LDAP {
	return &config.LDAP{
		URL: s.ldaps, CAFile: filepath.Join(s.directory, "tls.crt"), Timeout: config.Duration(time.Minute), Connections: 4,
		BindDN: "cn=searcher,dc=example,dc=com", BindPasswordFile: filepath.Join(s.directory, "password"),
		Users: config.LDAPUsers{
			BaseDN: "ou=people,dc=example,dc=com", Filter: "(&(objectClass=inetOrgPerson)(uid={name})(!(employeeType=disabled)))",
			Subject: "entryUUID", Attributes: map[string]config.LDAPAttribute{"email": {Name: "mail"}, "phone": {Name: "telephoneNumber"}},
		},
		Groups: config.LDAPGroups{BaseDN: "ou=groups,dc=example,dc=com", Filter: "(&(objectClass=groupOfNames)(member={dn}))", Name: "cn", Nested: true},
	}
}

func (s *slapd) certificate() {
	s.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "slapd"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	s.must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	s.must(err)
	s.write("tls.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	s.write("tls.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

func (s *slapd) write(name, content string) {
	s.Helper()
	s.must(os.WriteFile(filepath.Join(s.directory, name), []byte(content), 0o600))
}

func (s *slapd) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
