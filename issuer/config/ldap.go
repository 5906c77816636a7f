package config

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/keywright/keywright/issuer/strictyaml"
	"github.com/keywright/keywright/issuer/token"
)

// LDAP configures the LDAP server for searches and binds (RFC 4511).
type LDAP struct {
	// URL is ldaps://host:port, or ldap://host:port with StartTLS (RFC 4513 section 3). Plaintext is not supported.
	URL string `yaml:"url"`
	// StartTLS upgrades a connection of ldap:// to TLS.
	StartTLS bool `yaml:"startTLS"`
	// CAFile contains the CA certificates of the server, PEM; by default those of the system.
	CAFile string `yaml:"caFile"`
	// BindDN is the account that searches.
	BindDN string `yaml:"bindDN"`
	// BindPasswordFile contains the password of BindDN.
	BindPasswordFile string `yaml:"bindPasswordFile"`
	// Timeout limits each login, by default 5 s.
	Timeout Duration `yaml:"timeout"`
	// Connections is the maximum number of connections, by default 8.
	Connections int        `yaml:"connections"`
	Users       LDAPUsers  `yaml:"users"`
	Groups      LDAPGroups `yaml:"groups"`
}

// LDAPUsers configures the search for a user.
type LDAPUsers struct {
	// BaseDN is the DN below which users are found.
	BaseDN string `yaml:"baseDN"`
	// Filter is an LDAP filter in which {name} is replaced by the escaped name (RFC 4515), such as
	// (&(objectClass=person)(uid={name})).
	Filter string `yaml:"filter"`
	// Subject is the attribute for sub. It must never change, like entryUUID or objectGUID.
	Subject string `yaml:"subject"`
	// PasswordChanged is an attribute that changes with the password, such as pwdChangedTime or pwdLastSet. Sessions
	// end then.
	PasswordChanged string `yaml:"passwordChanged"`
	// Attributes maps attributes of the user, as claims name them, to LDAP attributes.
	Attributes map[string]LDAPAttribute `yaml:"attributes"`
}

// LDAPAttribute is an LDAP attribute, written as its name or as {attribute: NAME, list: true}.
type LDAPAttribute struct {
	Name string `yaml:"attribute"`
	// List makes the value a list even if there is a single value. Otherwise a single value is a string.
	List bool `yaml:"list"`
}

// UnmarshalYAML parses both forms.
func (a *LDAPAttribute) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		return node.Decode(&a.Name)
	}
	type plain LDAPAttribute
	for i := 0; i+1 < len(node.Content); i += 2 {
		if name := node.Content[i]; name.Value != "attribute" && name.Value != "list" {
			return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: unknown field; the known fields are attribute and list", name.Line)}}
		}
	}
	return node.Decode((*plain)(a))
}

// LDAPGroups configures the search for the groups of a user, whose names become the attribute groups. Without BaseDN
// there is no search.
type LDAPGroups struct {
	// BaseDN is the DN below which groups are found.
	BaseDN string `yaml:"baseDN"`
	// Filter is an LDAP filter in which {dn} is replaced by the escaped DN of the user, such as
	// (&(objectClass=groupOfNames)(member={dn})).
	Filter string `yaml:"filter"`
	// Name is the attribute with the name of a group, by default cn.
	Name string `yaml:"name"`
	// Nested includes the groups that contain those groups.
	Nested bool `yaml:"nested"`
}

func (l *LDAP) inherit() {
	if l.Timeout == 0 {
		l.Timeout = Duration(5 * time.Second)
	}
	if l.Connections == 0 {
		l.Connections = 8
	}
	if l.Groups.Name == "" {
		l.Groups.Name = "cn"
	}
}

func (l *LDAP) check(f *strictyaml.Findings) {
	const at = "users.ldap."
	if u, err := url.Parse(l.URL); err != nil || u.Hostname() == "" || u.User != nil || (u.Scheme != "ldaps" && u.Scheme != "ldap") || (u.Scheme == "ldaps") == l.StartTLS {
		f.Add(at+"url", "must be ldaps://host:port, or ldap://host:port with startTLS: true, and without a user: passwords travel over TLS only")
	}
	if l.BindDN == "" {
		f.Add(at+"bindDN", "must be set: the issuer searches with this account")
	}
	if l.BindPasswordFile == "" {
		f.Add(at+"bindPasswordFile", "must be set: the issuer searches with this account")
	}
	if t := time.Duration(l.Timeout); t < time.Millisecond || t > time.Minute {
		f.Add(at+"timeout", "must be between 1ms and 1m")
	}
	if l.Connections < 1 || l.Connections > 1000 {
		f.Add(at+"connections", "must be between 1 and 1000")
	}
	if l.Users.BaseDN == "" || l.Users.Subject == "" {
		f.Add(at+"users", "needs baseDN and subject")
	}
	if !strings.Contains(l.Users.Filter, "={name})") {
		f.Add(at+"users.filter", "must compare an attribute with {name}, like (uid={name})")
	}
	if (l.Groups.BaseDN != "") != strings.Contains(l.Groups.Filter, "={dn})") {
		f.Add(at+"groups", "needs both baseDN and a filter that compares an attribute with {dn}, like (member={dn})")
	}
	for name, attribute := range l.Users.Attributes {
		at := at + "users.attributes." + name
		switch {
		case name == "" || attribute.Name == "":
			f.Add(at, "must map a name to an attribute of LDAP")
		case name == "groups":
			f.Add(at, "is reserved for the groups of users.ldap.groups")
		case token.Reserved(name):
			f.Add(at, "is reserved for the issuer")
		case token.Forbidden(name) || token.Forbidden(attribute.Name):
			f.Add(at, "looks like a secret, by its name: leave it out, because anyone who has a token can read its claims")
		}
	}
}
