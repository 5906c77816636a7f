package login

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"
)

// The outcomes of a login that failed.
var (
	// ErrDenied means that the password is not that of an enabled user of this name. A *Denied tells more, for the audit log
	// alone: clients must not learn it.
	ErrDenied = errors.New("denied")
	// ErrBusy means that too many passwords are being checked.
	ErrBusy = errors.New("busy")
	// ErrDown means that nobody can tell now whether the password is right.
	ErrDown = errors.New("the password cannot be checked")
)

// Denied is an ErrDenied with the reason of it.
type Denied struct {
	// Subject is that of the user, empty if there is none of this name.
	Subject string
	// Reason is one of a few fixed texts.
	Reason string
}

func (d *Denied) Error() string { return ErrDenied.Error() + ": " + d.Reason }

// Is makes a *Denied an ErrDenied.
func (d *Denied) Is(target error) bool { return target == ErrDenied }

// The reasons of a Denied.
const (
	UnknownUser   = "unknown user"
	WrongPassword = "wrong password"
	DisabledUser  = "disabled user"
)

// User is somebody who has logged in.
type User struct {
	// Subject is the sub of the user's tokens: stable, whatever the name becomes.
	Subject string
	// Scopes, if not nil, are the only ones that the user can have.
	Scopes []string
	// Attributes are what claims are made of, as encoding/json reads them. They must not be changed.
	Attributes map[string]any
	// Credential changes when the password does: a digest of what the directory says of it, empty if it says nothing.
	Credential string
}

// CredentialOf returns the digest of what a directory says of a password: its hash, or when it was changed.
func CredentialOf(text string) string {
	if text == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("credential:" + text))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Directory knows users and their passwords.
type Directory interface {
	// Authenticate returns the user of a name that is not empty, whose password is not empty. The errors are ErrDenied,
	// ErrBusy and ErrDown. A name that nobody has takes as long as a wrong password.
	Authenticate(ctx context.Context, name, password string) (*User, error)
	// Lookup returns the enabled user of a name, without a password: a session goes on only while there is one. The errors are
	// ErrDenied and ErrDown.
	Lookup(ctx context.Context, name string) (*User, error)
}

// The bounds of what a person types, in bytes.
const (
	maxName     = 256
	maxPassword = 1024
)

// TooLong reports whether a name or a password can be nobody's.
func TooLong(name, password string) bool { return len(name) > maxName || len(password) > maxPassword }

// List is a Directory that compares hashes. Its users may change from one login to the next.
type List struct {
	users  func() (*Users, bool)
	hasher *Hasher
}

// NewList returns a Directory of the users that a function returns.
func NewList(users func() (*Users, bool), hasher *Hasher) *List {
	return &List{users: users, hasher: hasher}
}

// Authenticate compares a password with the hash of a user. An unknown name, a wrong password and a disabled user cost
// the same time and give the same error.
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
	hash := users.nobody
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

// Lookup finds a user in the list.
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

// waitForSlot is how long a login waits until it may hash.
const waitForSlot = 2 * time.Second
