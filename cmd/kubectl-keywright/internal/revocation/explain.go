package revocation

import (
	"fmt"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/receipt"
)

// explain returns what the revocation causes, in lines.
func (r *request) explain(key *keywrightv1alpha1.SigningKey) []string {
	if r.spec.KeyID != "" {
		return []string{explainKey(key, r.spec.KeyID)}
	}
	lines := []string{fmt.Sprintf("Every service of SigningKey %s will reject %s.", key.Name, receipt.Describe(&r.spec))}
	skew := key.Spec.Token.ClockSkew.Duration
	switch {
	case r.spec.Everything:
		lines = append(lines, fmt.Sprintf("All users must log in again, and logins pause for the clockSkew of %v.", skew))
	case r.spec.SessionID != "":
		lines = append(lines, "Its refresh token is revoked too: that browser must log in again, other sessions continue.")
	case r.spec.Subject != "":
		lines = append(lines, fmt.Sprintf("The user can log in again after the clockSkew of %v: to prevent that, disable the user at the issuer first.", skew))
	case r.spec.ClientID != "":
		lines = append(lines, fmt.Sprintf("The client can get new tokens after the clockSkew of %v: to prevent that, remove it from the issuer first.", skew))
	}
	if !r.spec.Nudge {
		lines = append(lines, "Pods get the revocation within 90 s, or within seconds with --nudge if the controller runs with --nudge-pods.")
	}
	return lines
}

func (r *request) question() string {
	if r.spec.KeyID != "" {
		return "Revoke it permanently? [y/N]"
	}
	return "Revoke this? It cannot be undone. [y/N]"
}
