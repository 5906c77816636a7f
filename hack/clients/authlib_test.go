package clients_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Python programs use Authlib for both.
func TestAuthlib(t *testing.T) {
	const python = "/usr/bin/python3" // Debian's packages belong to Debian's Python
	if exec.Command(python, "-c", "import authlib, requests").Run() != nil {
		if os.Getenv("REQUIRE_CLIENTS") != "" {
			t.Fatal("Authlib is needed: apt-get install python3-authlib python3-requests")
		}
		t.Skip("Authlib is missing: apt-get install python3-authlib python3-requests")
	}
	// Authlib does not form-encode what goes into the Authorization header (RFC 6749 section 2.3.1): a secret with a plus sign
	// or a percent sign would be another one. Those of `issuer new-secret` have neither.
	const plain = "ONLYLETTERSANDDIGITS0123456789"
	a, k, robot := newAuthority(t), newKeyring(t), newKeyring(t).active
	public := robot.Public()
	jwk, err := public.MarshalJSON()
	must(t, err)
	private, err := robot.MarshalJSON()
	must(t, err)
	r := startIssuer(t, a, k, options{clients: fmt.Sprintf(`- {id: robot, grantTypes: [client_credentials], publicKeys: [%s]}
- {id: plain, grantTypes: [client_credentials], secretSHA256: %x}`, jwk, sha256.Sum256([]byte(plain)))})
	seen := script(t, []string{
		"REQUESTS_CA_BUNDLE=" + a.crt(), "ISSUER=" + r.url, "AUDIENCE=" + audience, "SECRET=" + plain, "PASSWORD=" + password, "ROBOT_KEY=" + string(private),
	}, python, "authlib_client.py")
	for name, subject := range map[string]string{
		"client_secret_basic": "client:plain", "client_secret_post": "client:plain", "private_key_jwt": "client:robot", "password": "1",
	} {
		if token, _ := seen[name].(map[string]any); token["sub"] != subject || token["typ"] != "at+jwt" {
			t.Errorf("%s: %v", name, seen[name])
		}
	}
	if seen["wrong"] != "invalid_grant" {
		t.Errorf("a wrong password: %v", seen["wrong"])
	}
}
