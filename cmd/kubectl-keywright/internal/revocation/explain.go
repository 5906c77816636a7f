package revocation

import (
	"fmt"
	"strings"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/receipt"
)

// explained says what the revocation means, a line each.
func (r *revocation) explained(key *keywrightv1alpha1.SigningKey) []string {
	if r.spec.KeyID != "" {
		return []string{explainedKey(key, r.spec.KeyID)}
	}
	lines := []string{strings.ToUpper(receipt.Describe(&r.spec)[:1]) + receipt.Describe(&r.spec)[1:] + " will be refused by every service of SigningKey " + key.Name + "."}
	skew := key.Spec.Token.ClockSkew.Duration
	switch {
	case r.spec.Everything:
		lines = append(lines, fmt.Sprintf("Everybody has to log in again, and logins pause for the clockSkew of %v.", skew))
	case r.spec.SessionID != "":
		lines = append(lines, "Its refresh token ends with it: that browser has to log in again, others go on.")
	case r.spec.Subject != "":
		lines = append(lines, fmt.Sprintf("They can log in again after the clockSkew of %v: to keep a user out, disable the user at the issuer first.", skew))
	case r.spec.ClientID != "":
		lines = append(lines, fmt.Sprintf("It can get new ones after the clockSkew of %v: to keep a client out, remove it from the issuer first.", skew))
	}
	if !r.spec.Nudge {
		lines = append(lines, "Pods learn it within 90 s, or within seconds with --nudge if the controller may nudge all pods.")
	}
	return lines
}

func (r *revocation) asks() string {
	if r.spec.KeyID != "" {
		return "Revoke it for ever? [y/N]"
	}
	return "End this? It cannot be taken back. [y/N]"
}
