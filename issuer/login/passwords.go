package login

import (
	"context"
	"errors"
	"sync"
)

// ErrUnusableHash means that a text is no hash that ParseHash reads. It took as long to say so as to compare.
var ErrUnusableHash = errors.New("the hash of the password cannot be used")

// Passwords compares passwords with the hashes that a directory looks up one by one, as texts.
type Passwords struct {
	hasher *Hasher

	mu sync.Mutex
	// nobody costs as much as the costliest hash that was seen: what is compared with it takes no less time than with any other.
	nobody Hash
}

// NewPasswords returns a Passwords that compares in a Hasher.
func NewPasswords(hasher *Hasher) *Passwords {
	return &Passwords{hasher: hasher, nobody: standard().like()}
}

// Match reports whether a password, as Prepare returns it, is that of a hash. Without a hash, as for a name that nobody has, it is not, and takes as
// long as for the costliest hash that was seen. The errors are ErrUnusableHash, ErrBusy and ErrDown.
func (p *Passwords) Match(ctx context.Context, hash, password string) (bool, error) {
	parsed, err := ParseHash(hash)
	compare := p.note(parsed, err == nil)
	matches, failed := p.hasher.matches(ctx, compare, password)
	switch {
	case failed != nil:
		return false, failed
	case hash == "":
		return false, nil
	case err != nil:
		return false, ErrUnusableHash
	}
	return matches, nil
}

// note returns the hash to compare with, and remembers the costliest.
func (p *Passwords) note(hash Hash, usable bool) Hash {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !usable {
		return p.nobody
	}
	if hash.cost() > p.nobody.cost() {
		p.nobody = hash.like()
	}
	return hash
}
