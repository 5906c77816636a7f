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

// LDAP says where users are looked up and bound (RFC 4511).
type LDAP struct {
	// URL is ldaps://host:port, or ldap://host:port with StartTLS (RFC 4513 section 3). Nothing is sent without TLS.
	URL      string `yaml:"url"`
	StartTLS bool   `yaml:"startTLS"`
	// CAFile has the certificates that the server's is checked against, PEM; by default those of the system.
	CAFile string `yaml:"caFile"`
	// BindDN and the content of BindPasswordFile are those of an account that may search.
	BindDN           string `yaml:"bindDN"`
	BindPasswordFile string `yaml:"bindPasswordFile"`
	// Timeout bounds each login, by default 5 s. Connections is how many are open at most, by default 8.
	Timeout     Duration   `yaml:"timeout"`
	Connections int        `yaml:"connections"`
	Users       LDAPUsers  `yaml:"users"`
	Groups      LDAPGroups `yaml:"groups"`
}

// LDAPUsers says how a user is found.
type LDAPUsers struct {
	BaseDN string `yaml:"baseDN"`
	// Filter has {name} where the escaped name goes (RFC 4515), like (&(objectClass=person)(uid={name})).
	Filter string `yaml:"filter"`
	// Subject is the attribute that becomes sub: one that never changes, like entryUUID or objectGUID.
	Subject string `yaml:"subject"`
	// PasswordChanged is an attribute that changes when the password does, like pwdChangedTime or pwdLastSet: sessions end then.
	PasswordChanged string `yaml:"passwordChanged"`
	// Attributes map an attribute of the user, as claims refer to it, to one of the directory.
	Attributes map[string]LDAPAttribute `yaml:"attributes"`
}

// LDAPAttribute is an attribute of the directory, written as its name alone or as {attribute: NAME, list: true}.
type LDAPAttribute struct {
	Name string `yaml:"attribute"`
	// List makes it a list also where it has one value. Otherwise one value is a text, and several are a list.
	List bool `yaml:"list"`
}

// UnmarshalYAML reads both forms.
func (a *LDAPAttribute) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		return node.Decode(&a.Name)
	}
	type plain LDAPAttribute
	for i := 0; i+1 < len(node.Content); i += 2 {
		if name := node.Content[i]; name.Value != "attribute" && name.Value != "list" {
			return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: has only the fields attribute and list", name.Line)}}
		}
	}
	return node.Decode((*plain)(a))
}

// LDAPGroups says how the groups of a user are found. Their names become the attribute groups. Without BaseDN there are none.
type LDAPGroups struct {
	BaseDN string `yaml:"baseDN"`
	// Filter has {dn} where the escaped DN of the user goes, like (&(objectClass=groupOfNames)(member={dn})).
	Filter string `yaml:"filter"`
	// Name is the attribute that has the name, by default cn.
	Name string `yaml:"name"`
	// Nested also finds the groups that those groups are in.
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
			f.Add(at, "has no attribute")
		case name == "groups":
			f.Add(at, "is set by users.ldap.groups")
		case token.Reserved(name):
			f.Add(at, "is reserved for the issuer")
		case token.Forbidden(name) || token.Forbidden(attribute.Name):
			f.Add(at, "has a name like that of a secret, which no token may hold: whoever has a token reads it")
		}
	}
}
