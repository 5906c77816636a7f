package login

import (
	"context"
	"errors"
	"sync"
)

// ErrUnusableHash is returned for a hash that ParseHash rejects, after the time of a comparison.
var ErrUnusableHash = errors.New("the hash of the password cannot be used")

// Passwords compares passwords with hashes that a directory returns as texts.
type Passwords struct {
	hasher *Hasher

	mu sync.Mutex
	// dummyHash has the cost of the most expensive hash seen so far.
	dummyHash Hash
}

// NewPasswords returns a Passwords that uses a Hasher.
func NewPasswords(hasher *Hasher) *Passwords {
	return &Passwords{hasher: hasher, dummyHash: defaultHash().dummy()}
}

// Match reports whether a password, as returned by Prepare, matches a hash. Without a hash, as for an unknown name,
// it returns false after the time of the most expensive hash seen so far. The errors are ErrUnusableHash, ErrBusy and
// ErrDown.
func (p *Passwords) Match(ctx context.Context, hash, password string) (bool, error) {
	parsed, err := ParseHash(hash)
	compare := p.hashToCompare(parsed, err == nil)
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

// hashToCompare returns the hash or a dummy, and records the most expensive one.
func (p *Passwords) hashToCompare(hash Hash, usable bool) Hash {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !usable {
		return p.dummyHash
	}
	if hash.cost() > p.dummyHash.cost() {
		p.dummyHash = hash.dummy()
	}
	return hash
}
