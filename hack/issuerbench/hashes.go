package main

import (
	"context"
	"os/exec"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// hashed is the hash of the one password, and what it is called in a table.
type hashed struct{ name, hash string }

// hashes are of both kinds, with the parameters that people use.
func (b *bench) hashes(ctx context.Context) ([]hashed, error) {
	slow, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, b.issuer, "hash")
	cmd.Stdin = strings.NewReader(password + "\n")
	fast, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	return []hashed{{"bcrypt, cost 10", string(slow)}, {"argon2id, 19 MiB, 2 passes", strings.TrimSpace(string(fast))}}, nil
}
