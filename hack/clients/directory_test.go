package clients_test

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/keywright/keywright/issuer/login/ldap/slapdtest"
)

// newDirectory starts an LDAP server with the user alice, and returns the users of an issuer's configuration.
func newDirectory(t *testing.T) string {
	t.Helper()
	authority := newAuthority(t) // the issuers' certificates change, and its own does not
	url, _ := slapdtest.Start(t, authority.volume.Directory, fmt.Sprintf(`dn: uid=alice,dc=example,dc=com
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: A
employeeNumber: 1
mail: alice@example.com
userPassword:: %s
`, base64.StdEncoding.EncodeToString([]byte(password))))
	files := t.TempDir()
	ca, searcher := filepath.Join(files, "ca.crt"), filepath.Join(files, "password")
	must(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.certificate.Raw}), 0o600))
	must(t, os.WriteFile(searcher, []byte(slapdtest.SearcherPassword), 0o600))
	return fmt.Sprintf(`{ldap: {url: %q, caFile: %q, bindDN: "cn=searcher,dc=example,dc=com", bindPasswordFile: %q,
  users: {baseDN: "dc=example,dc=com", filter: "(&(objectClass=inetOrgPerson)(uid={name}))", subject: employeeNumber}}}`, url, ca, searcher)
}
