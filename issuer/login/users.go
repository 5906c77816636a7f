package login

import (
	"fmt"
	"slices"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/strictyaml"
	"github.com/keywright/keywright/issuer/token"
)

// Kind is the kind of a list of users.
const Kind = "UserList"

// MaxBytes limits a list of users: a Secret holds at most 1 MiB.
const MaxBytes = 1 << 20

type userList struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Users      []*entry `yaml:"users"`
}

// entry is a user in the list.
type entry struct {
	// Name is the user name for logins.
	Name string `yaml:"name"`
	// Subject is the sub of the user's tokens, which does not change with the name.
	Subject string `yaml:"subject"`
	// PasswordHash is in a format of ParseHash.
	PasswordHash string `yaml:"passwordHash"`
	// Disabled users cannot log in. Their tokens remain valid until they expire.
	Disabled bool `yaml:"disabled"`
	// Scopes, if set, limits the scopes of the user.
	Scopes []string `yaml:"scopes"`
	// Claims are the user's attributes.
	Claims claims `yaml:"claims"`

	hash       Hash
	credential string
}

// Users is a validated list of users.
type Users struct {
	byName map[string]*entry
	// inOrder are all users in the order of the list.
	inOrder []*entry
	// dummyHash has the cost of the most expensive hash. The password of an unknown user is compared with it.
	dummyHash Hash
}

// Subjects returns the subjects of all users by name.
func (u *Users) Subjects() map[string]string {
	subjects := make(map[string]string, len(u.byName))
	for name, user := range u.byName {
		subjects[name] = user.Subject
	}
	return subjects
}

// Len returns the number of users.
func (u *Users) Len() int { return len(u.byName) }

// NoUsers returns an empty list, for which a login takes as long as for others.
func NoUsers() *Users { return &Users{dummyHash: defaultHash().dummy()} }

// ParseUsers parses a list of users in YAML or JSON. Unknown and duplicate fields, and invalid values, are errors;
// the error contains all of them with lines, and no hash.
func ParseUsers(b []byte) (*Users, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("the list is longer than %d bytes", MaxBytes)
	}
	var list userList
	f, err := strictyaml.Parse(b, "list of users", &list)
	if err != nil {
		return nil, err
	}
	if list.APIVersion != config.APIVersion {
		f.Add("apiVersion", "must be %s", config.APIVersion)
	}
	if list.Kind != Kind {
		f.Add("kind", "must be %s", Kind)
	}
	u := &Users{byName: make(map[string]*entry, len(list.Users))}
	costliest := defaultHash()
	subjects := map[string]bool{}
	for i, user := range list.Users {
		at := fmt.Sprintf("users[%d]", i)
		if user == nil {
			f.Add(at, "is empty")
			continue
		}
		user.check(at, f)
		if user.Name != "" && u.byName[user.Name] != nil {
			f.Add(at+".name", "two users have the name %.64q", user.Name)
		}
		if user.Subject != "" && subjects[user.Subject] {
			f.Add(at+".subject", "is also the subject of another user")
		}
		u.byName[user.Name], subjects[user.Subject] = user, true
		u.inOrder = append(u.inOrder, user)
		if user.hash.cost() > costliest.cost() {
			costliest = user.hash
		}
	}
	u.dummyHash = costliest.dummy()
	return u, f.Err()
}

func (u *entry) check(at string, f *strictyaml.Findings) {
	prepared, err := PrepareName(u.Name)
	if err != nil || len(u.Name) > maxName {
		f.Add(at+".name", "must be a user name of 1 to %d bytes (RFC 8265 section 3), without control characters and compatibility characters such as ligatures", maxName)
	} else {
		u.Name = prepared
	}
	if !token.IsSubject(u.Subject) {
		f.Add(at+".subject", "must have 1 to 255 bytes of printable text, and not begin with %s", token.ClientPrefix)
	}
	if u.hash, err = ParseHash(u.PasswordHash); err != nil {
		f.Add(at+".passwordHash", "%v", err)
	}
	for claim := range u.Claims {
		if token.Reserved(claim) {
			f.Add(at+".claims."+claim, "is reserved for the issuer")
		}
	}
	if name, ok := token.FindForbidden(map[string]any(u.Claims)); ok {
		f.Add(at+".claims", "%s looks like a secret, by its name: leave it out, because anyone who has a token can read its claims", name)
	}
	if slices.ContainsFunc(u.Scopes, func(s string) bool { return !config.IsScope(s) }) {
		f.Add(at+".scopes", "must be a list of scopes (RFC 6749 section 3.3)")
	}
	u.credential = CredentialOf(u.PasswordHash)
	u.PasswordHash = ""
}
