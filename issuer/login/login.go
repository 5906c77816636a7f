package login

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"
)

// The errors of a failed login.
var (
	// ErrDenied is returned if there is no enabled user with this name and password. A *Denied has the reason, for
	// the audit log only.
	ErrDenied = errors.New("denied")
	// ErrBusy is returned when too many passwords are being checked.
	ErrBusy = errors.New("busy")
	// ErrDown is returned if the password cannot be checked now.
	ErrDown = errors.New("the password cannot be checked")
)

// Denied is an ErrDenied with its reason.
type Denied struct {
	// Subject is that of the user, or "" if no user has this name.
	Subject string
	// Reason is one of a few fixed texts.
	Reason string
}

func (d *Denied) Error() string { return ErrDenied.Error() + ": " + d.Reason }

// Is makes a *Denied match ErrDenied.
func (d *Denied) Is(target error) bool { return target == ErrDenied }

// The reasons of a Denied.
const (
	UnknownUser   = "unknown user"
	WrongPassword = "wrong password"
	DisabledUser  = "disabled user"
)

// User is a user who has logged in.
type User struct {
	// Subject is the sub of the user's tokens, which does not change with the name.
	Subject string
	// Scopes, if not nil, limits the scopes of the user.
	Scopes []string
	// Attributes are the values for claims, as encoding/json decodes them. They must not be modified.
	Attributes map[string]any
	// Credential is a digest that changes with the password, or "" if the directory has no such value.
	Credential string
}

// CredentialOf returns the digest of a password hash, or of the time of its last change.
func CredentialOf(text string) string {
	if text == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("credential:" + text))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Directory authenticates users.
type Directory interface {
	// Authenticate returns the user with this name and password, both non-empty. The errors are ErrDenied, ErrBusy
	// and ErrDown. An unknown name takes as long as a wrong password.
	Authenticate(ctx context.Context, name, password string) (*User, error)
	// Lookup returns the enabled user with this name without checking a password, for the refresh of a session. The
	// errors are ErrDenied and ErrDown.
	Lookup(ctx context.Context, name string) (*User, error)
}

// The maximum lengths of a user name and a password, in bytes.
const (
	maxName     = 256
	maxPassword = 1024
)

// TooLong reports whether a name or a password exceeds its maximum length.
func TooLong(name, password string) bool { return len(name) > maxName || len(password) > maxPassword }

// List is a Directory of a list of users, which may change between logins.
type List struct {
	users  func() (*Users, bool)
	hasher *Hasher
}

// NewList returns a List. users returns the current list.
func NewList(users func() (*Users, bool), hasher *Hasher) *List {
	return &List{users: users, hasher: hasher}
}

// Authenticate compares a password with the hash of a user. An unknown name, a wrong password and a disabled user
// take the same time and return the same error.
func (l *List) Authenticate(ctx context.Context, name, password string) (*User, error) {
	name, password, ok := Prepare(name, password)
	if !ok {
		return nil, &Denied{Reason: WrongPassword}
	}
	users, there := l.users()
	if !there {
		return nil, ErrDown
	}
	entry, known := users.byName[name]
	hash := users.dummyHash
	if known {
		hash = entry.hash
	}
	matches, err := l.hasher.matches(ctx, hash, password)
	switch {
	case err != nil:
		return nil, err
	case !known:
		return nil, &Denied{Reason: UnknownUser}
	case !matches:
		return nil, &Denied{Subject: entry.Subject, Reason: WrongPassword}
	case entry.Disabled:
		return nil, &Denied{Subject: entry.Subject, Reason: DisabledUser}
	}
	return entry.user(), nil
}

// Lookup returns a user in the list.
func (l *List) Lookup(_ context.Context, name string) (*User, error) {
	users, there := l.users()
	if !there {
		return nil, ErrDown
	}
	name, err := PrepareName(name)
	entry, known := users.byName[name]
	switch {
	case err != nil || !known:
		return nil, &Denied{Reason: UnknownUser}
	case entry.Disabled:
		return nil, &Denied{Subject: entry.Subject, Reason: DisabledUser}
	}
	return entry.user(), nil
}

func (e *entry) user() *User {
	return &User{Subject: e.Subject, Scopes: e.Scopes, Attributes: e.Claims, Credential: e.credential}
}

// waitForSlot is the maximum time that a login waits for a slot.
const waitForSlot = 2 * time.Second
