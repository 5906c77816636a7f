package login

import (
	"context"
	"errors"
	"time"
)

// The outcomes of a login that failed.
var (
	// ErrDenied is that the password is not that of an enabled user of this name. It does not say which of these it is.
	ErrDenied = errors.New("denied")
	// ErrBusy is that too many passwords are being hashed.
	ErrBusy = errors.New("busy")
)

// The bounds of what a person types, in bytes.
const (
	maxName     = 256
	maxPassword = 1024
)

// TooLong tells whether a name or a password can be nobody's.
func TooLong(name, password string) bool { return len(name) > maxName || len(password) > maxPassword }

// Checker checks passwords, a bounded number at a time: each takes a core and tens of MiB.
type Checker struct {
	slots chan struct{}
	wait  time.Duration
}

// NewChecker lets at most slots passwords be hashed at a time, and others wait for at most wait.
func NewChecker(slots int, wait time.Duration) *Checker {
	return &Checker{slots: make(chan struct{}, slots), wait: wait}
}

// Check returns the user whose name and password these are. An unknown name, a wrong password and a disabled user cost the
// same time and give the same error.
func (c *Checker) Check(ctx context.Context, users *Users, name, password string) (*User, error) {
	timeout := time.NewTimer(c.wait)
	defer timeout.Stop()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-timeout.C:
		return nil, ErrBusy
	case <-ctx.Done():
		return nil, ErrBusy
	}
	user, known := users.byName[name]
	hash := users.nobody
	if known {
		hash = user.hash
	}
	if matches := hash.matches(password); !matches || !known || user.Disabled {
		return nil, ErrDenied
	}
	return user, nil
}
