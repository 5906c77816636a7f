package login

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/token"
)

// Kind is the kind of a list of users.
const Kind = "UserList"

// MaxBytes bounds a list of users: a Secret holds at most 1 MiB.
const MaxBytes = 1 << 20

// entry is somebody who can log in.
type entry struct {
	// Name is what a person types.
	Name string `json:"name"`
	// Subject is the sub of the user's tokens: stable, whatever the name becomes.
	Subject string `json:"subject"`
	// PasswordHash is what ParseHash reads.
	PasswordHash string `json:"passwordHash"`
	// Disabled users cannot log in. Tokens that they have live until they expire.
	Disabled bool `json:"disabled"`
	// Scopes, if set, are the only ones that the user can have.
	Scopes []string `json:"scopes"`
	// Claims are the user's attributes.
	Claims map[string]any `json:"claims"`

	hash Hash
}

// Users is a checked list of users.
type Users struct {
	byName map[string]*entry
	// nobody is what the password of an unknown user is compared with: it costs as much as the costliest.
	nobody Hash
}

// Len is the number of users.
func (u *Users) Len() int { return len(u.byName) }

// NoUsers returns a list without users. A login costs what it costs with a list.
func NoUsers() *Users { return &Users{nobody: standard().like()} }

// ParseUsers reads a list of users, YAML or JSON. A field that is unknown or repeated is an error, and so is every value
// that cannot work; the error names all of them by the user, and no hash.
func ParseUsers(b []byte) (*Users, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("the list is longer than %d bytes", MaxBytes)
	}
	var list struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Users      []*entry `json:"users"`
	}
	if err := yaml.UnmarshalStrict(b, &list); err != nil {
		return nil, errors.New("not a list of users: " + shape(err))
	}
	if list.APIVersion != config.APIVersion || list.Kind != Kind {
		return nil, fmt.Errorf("needs apiVersion %s and kind %s", config.APIVersion, Kind)
	}
	u := &Users{byName: make(map[string]*entry, len(list.Users))}
	var findings []error
	costliest := standard()
	subjects := map[string]bool{}
	for i, user := range list.Users {
		if user == nil {
			findings = append(findings, fmt.Errorf("users[%d] is empty", i))
			continue
		}
		findings = append(findings, user.check(i)...)
		if u.byName[user.Name] != nil {
			findings = append(findings, fmt.Errorf("users[%d]: there are two users %q", i, user.Name))
		}
		if subjects[user.Subject] {
			findings = append(findings, fmt.Errorf("users[%d]: the subject of %q is that of another user", i, user.Name))
		}
		u.byName[user.Name], subjects[user.Subject] = user, true
		if user.hash.cost() > costliest.cost() {
			costliest = user.hash
		}
	}
	u.nobody = costliest.like()
	return u, errors.Join(findings...)
}

// shape says what is wrong with a document, in the parser's words but for the values, which may be secret.
func shape(err error) string {
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) {
		return fmt.Sprintf("%s must be a %s, not a %s", mistyped.Field, mistyped.Type, mistyped.Value)
	}
	if _, field, ok := strings.Cut(err.Error(), "unknown field "); ok {
		return "unknown field " + strings.TrimSpace(field)
	}
	return "the YAML does not parse"
}

func (u *entry) check(i int) (findings []error) {
	add := func(format string, args ...any) {
		findings = append(findings, fmt.Errorf("users[%d] (%.64q): "+format, append([]any{i, u.Name}, args...)...))
	}
	if u.Name == "" || len(u.Name) > maxName {
		add("needs a name of at most %d bytes", maxName)
	}
	if u.Subject == "" || len(u.Subject) > 255 || strings.HasPrefix(u.Subject, token.ClientPrefix) {
		add("needs a subject of at most 255 bytes that does not begin with %s", token.ClientPrefix)
	}
	var err error
	if u.hash, err = ParseHash(u.PasswordHash); err != nil {
		add("passwordHash: %w", err)
	}
	for claim := range u.Claims {
		if token.Reserved(claim) {
			add("claims: %s is reserved", claim)
		}
	}
	if name, ok := token.Hidden(u.Claims); ok {
		add("claims: %s must never leave: tokens are signed, not hidden", name)
	}
	if slices.ContainsFunc(u.Scopes, func(s string) bool { return !config.IsScope(s) }) {
		add("scopes: not all are scopes (RFC 6749 section 3.3)")
	}
	u.PasswordHash = ""
	return findings
}
