package receipt

import (
	"fmt"
	"time"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// Describe returns what a Revocation revokes. Values are quoted: they may come from a token that is not verified.
func Describe(spec *keywrightv1alpha1.RevocationSpec) string {
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
		return "all tokens"
	}
}
