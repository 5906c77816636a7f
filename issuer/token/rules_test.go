package token_test

import (
	"strings"
	"testing"

	"github.com/keywright/keywright/issuer/token"
)

// Many readers of JSON take a claim in another case for ours.
func TestReservedClaimsInAnyCase(t *testing.T) {
	for _, claim := range []string{"sub", "SUB", "Sub", "\u017fub", "Client_ID", "\u017fcope"} {
		if !token.Reserved(claim) {
			t.Errorf("%s can be set", claim)
		}
	}
	for _, claim := range []string{"subject", "su", "email", ""} {
		if token.Reserved(claim) {
			t.Errorf("%s cannot be set", claim)
		}
	}
}

func TestSubjects(t *testing.T) {
	for text, want := range map[string]bool{
		"a": true, "Älice B": true, strings.Repeat("x", 255): true,
		"": false, strings.Repeat("x", 256): false, "client:x": false, "a\nb": false, "a\x7f": false, "a\u0085": false, "a\u202eb": false, "\xff": false,
	} {
		if token.IsSubject(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
