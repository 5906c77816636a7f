package clients_test

import (
	"testing"
)

// JavaScript programs use openid-client to get tokens and jose to verify them.
func TestNode(t *testing.T) {
	needsPackage(t, "jose")
	a, k, robot := newAuthority(t), newKeyring(t), newKeyring(t).active
	public := robot.Public()
	jwk, err := public.MarshalJSON()
	must(t, err)
	r := startIssuer(t, a, k, options{clients: "- {id: robot, grantTypes: [client_credentials], publicKeys: [" + string(jwk) + "]}"})
	private, err := robot.MarshalJSON()
	must(t, err)
	seen := script(t, []string{
		"NODE_EXTRA_CA_CERTS=" + a.crt(), "ISSUER=" + r.url, "AUDIENCE=" + audience, "SECRET=" + secret, "PASSWORD=" + password, "ROBOT_KEY=" + string(private),
	}, "node", "node.mjs")
	for name, subject := range map[string]string{"basic": "client:batch", "post": "client:batch", "assertion": "client:robot", "password": "1"} {
		if token, _ := seen[name].(map[string]any); token["sub"] != subject || token["kid"] != k.active.KeyID {
			t.Errorf("%s: %v", name, seen[name])
		}
	}
	for name, code := range map[string]string{
		"wrongPassword": "invalid_grant", "wrongScope": "invalid_scope", "wrongTarget": "invalid_target", "wrongGrant": "unauthorized_client",
	} {
		if seen[name] != code {
			t.Errorf("%s: %v, want %s", name, seen[name], code)
		}
	}
}
