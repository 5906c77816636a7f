package login

import (
	"fmt"
	"strconv"

	"golang.org/x/crypto/bcrypt"
)

// Description describes a user to administrators, without the hash and the claims.
type Description struct {
	Name     string `json:"name"`
	Subject  string `json:"subject"`
	Disabled bool   `json:"disabled"`
	// Scopes is nil if the scopes of the user are not limited.
	Scopes []string        `json:"scopes,omitzero"`
	Hash   HashDescription `json:"passwordHash"`
}

// HashDescription describes the hash of a password.
type HashDescription struct {
	// Scheme is argon2id, bcrypt, pbkdf2-sha256 or pbkdf2-sha512.
	Scheme string `json:"scheme"`
	// Cost is the cost: m=19456,t=2,p=1 for argon2id, the cost of bcrypt, or the iterations of PBKDF2.
	Cost string `json:"cost"`
}

// Describe returns all users in the order of the list.
func (u *Users) Describe() []Description {
	all := make([]Description, len(u.inOrder))
	for i, user := range u.inOrder {
		all[i] = Description{Name: user.Name, Subject: user.Subject, Disabled: user.Disabled, Scopes: user.Scopes, Hash: user.hash.describe()}
	}
	return all
}

func (h Hash) describe() HashDescription {
	if p := h.pbkdf2; p != nil {
		return HashDescription{Scheme: map[bool]string{false: "pbkdf2-sha256", true: "pbkdf2-sha512"}[p.sha512], Cost: strconv.Itoa(p.iterations)}
	}
	if h.bcrypt != "" {
		cost, _ := bcrypt.Cost([]byte(h.bcrypt)) // validated
		return HashDescription{Scheme: "bcrypt", Cost: strconv.Itoa(cost)}
	}
	return HashDescription{Scheme: "argon2id", Cost: fmt.Sprintf("m=%d,t=%d,p=%d", h.memory, h.passes, h.parallelism)}
}
