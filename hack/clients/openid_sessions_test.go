package clients_test

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"testing"
)

// JavaScript programs stay logged in with openid-client, which speaks DPoP with every algorithm that we take, and knows nonces.
func TestSessionsOfOpenIDClient(t *testing.T) {
	needsPackage(t, "openid-client")
	a, k := newAuthority(t), newKeyring(t)
	k.allowSessions(t)
	r := startIssuer(t, a, k, options{clients: fmt.Sprintf(`- {id: spa, public: true, grantTypes: [password], scopes: [read, write], refresh: {dpop: true}}
- {id: bound, public: true, grantTypes: [password], scopes: [read, write], refresh: {dpop: true}, dpopBoundAccessTokens: true}
- {id: careful, public: true, grantTypes: [password], scopes: [read, write], refresh: {dpop: true}, dpopRequireNonce: true}
- {id: backend, secretSHA256: %x, grantTypes: [password], refresh: {}}`, sha256.Sum256([]byte(secret)))})
	seen := script(t, []string{
		"NODE_EXTRA_CA_CERTS=" + a.crt(), "ISSUER=" + r.url, "AUDIENCE=" + audience, "SECRET=" + secret, "PASSWORD=" + password,
	}, "node", "openid_sessions.mjs")
	session := func(kind string, bound bool) map[string]any {
		return map[string]any{
			"type": kind, "sub": "1", "sameSession": true, "bound": bound, "narrow": "read",
			"withoutProof": "invalid_dpop_proof", "withAnotherKey": "invalid_grant",
		}
	}
	for name, want := range map[string]any{
		"spa ES256": session("bearer", false), "spa Ed25519": session("bearer", false), "spa RS256": session("bearer", false),
		"bound ES256": session("dpop", true), "careful ES256": session("bearer", false),
		"backend":    map[string]any{"type": "bearer", "sub": "1"},
		"algorithms": []any{"ES256", "EdDSA", "Ed25519", "RS256"},
	} {
		if !reflect.DeepEqual(seen[name], want) {
			t.Errorf("%s: %v, want %v", name, seen[name], want)
		}
	}
}
