package main

import (
	"fmt"
	"strings"
	"time"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// named says what a Revocation ends. Values are quoted: they may come from a token that nobody has verified.
func named(spec *keywrightv1alpha1.RevocationSpec) string {
	switch {
	case spec.KeyID != "":
		return "key " + spec.KeyID
	case spec.TokenID != "":
		return fmt.Sprintf("the token with jti %q", spec.TokenID)
	case spec.SessionID != "":
		return fmt.Sprintf("the session with sid %q", spec.SessionID)
	}
	return allTokens(spec) + " issued until " + spec.IssuedBefore.UTC().Format(time.RFC3339)
}

func allTokens(spec *keywrightv1alpha1.RevocationSpec) string {
	switch {
	case spec.Subject != "":
		return fmt.Sprintf("all tokens of subject %q", spec.Subject)
	case spec.ClientID != "":
		return fmt.Sprintf("all tokens of client %q", spec.ClientID)
	default:
		return "all tokens of everybody"
	}
}

// explained says what the revocation means, a line each.
func (r *revocation) explained(key *keywrightv1alpha1.SigningKey) []string {
	if r.spec.KeyID != "" {
		return []string{explainedKey(key, r.spec.KeyID)}
	}
	lines := []string{strings.ToUpper(named(&r.spec)[:1]) + named(&r.spec)[1:] + " will be refused by every service of SigningKey " + key.Name + "."}
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
