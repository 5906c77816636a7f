package clients_test

import (
	"reflect"
	"testing"
)

// Clients that others wrote get tokens that are bound to their key, and verifiers that others wrote accept them from that client alone.
func TestBoundTokensWithForeignSoftware(t *testing.T) {
	needsPackage(t, "dpop")
	a, k := newAuthority(t), newKeyring(t)
	k.allowSessions(t)
	r := startIssuer(t, a, k, options{clients: `- {id: bound, public: true, grantTypes: [password], refresh: {dpop: true}, dpopBoundAccessTokens: true}`})
	seen := script(t, []string{"NODE_EXTRA_CA_CERTS=" + a.crt(), "ISSUER=" + r.url, "AUDIENCE=" + audience, "PASSWORD=" + password}, "node", "bound.mjs")
	verified := map[string]any{"right": "1", "anotherKey": "refused", "noProof": "refused", "bearer": "refused", "anotherToken": "refused"}
	for name, want := range map[string]any{
		"type": "DPoP", "refreshed": "DPoP", "stolen": "invalid_grant", "oauth4webapi": verified, "express": verified,
	} {
		if !reflect.DeepEqual(seen[name], want) {
			t.Errorf("%s: %v, want %v", name, seen[name], want)
		}
	}
}
