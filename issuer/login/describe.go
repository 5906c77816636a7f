package login

import (
	"fmt"
	"strconv"

	"golang.org/x/crypto/bcrypt"
)

// Description is what an administrator sees of a user: nothing of the hash but what it costs, and no claims.
type Description struct {
	Name     string `json:"name"`
	Subject  string `json:"subject"`
	Disabled bool   `json:"disabled"`
	// Scopes are nil if the user can have all that a client may ask for.
	Scopes []string        `json:"scopes,omitzero"`
	Hash   HashDescription `json:"passwordHash"`
}

// HashDescription is how a password is hashed.
type HashDescription struct {
	// Scheme is argon2id, bcrypt, pbkdf2-sha256 or pbkdf2-sha512.
	Scheme string `json:"scheme"`
	// Cost is like m=19456,t=2,p=1 for argon2id, the cost of bcrypt, and the iterations of PBKDF2.
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
		cost, _ := bcrypt.Cost([]byte(h.bcrypt)) // checked
		return HashDescription{Scheme: "bcrypt", Cost: strconv.Itoa(cost)}
	}
	return HashDescription{Scheme: "argon2id", Cost: fmt.Sprintf("m=%d,t=%d,p=%d", h.memory, h.passes, h.parallelism)}
}
