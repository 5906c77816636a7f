package login_test

import (
	"fmt"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/login/conformance"
)

func TestConformance(t *testing.T) {
	weak, err := bcrypt.GenerateFromPassword([]byte(conformance.Password), bcrypt.DefaultCost)
	if err != nil {
		t.Fatal(err)
	}
	for name, hash := range map[string]string{"argon2id": login.HashPassword(conformance.Password), "bcrypt": string(weak)} {
		t.Run(name, func(t *testing.T) {
			users, err := login.ParseUsers(fmt.Appendf(nil, `apiVersion: issuer.keywright.dev/v1alpha1
kind: UserList
users:
- {name: alice, subject: a1, passwordHash: %[1]q, claims: {email: alice@example.com, groups: [engineers, staff]}}
- {name: bob, subject: b1, passwordHash: %[1]q, disabled: true}
`, hash))
			if err != nil {
				t.Fatal(err)
			}
			conformance.Test(t, login.NewList(func() (*login.Users, bool) { return users, true }, login.NewHasher(2, 1<<30).Patient()))
		})
	}
}
