package token

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/issuertest"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
)

func TestTokenAndVerify(t *testing.T) {
	plugintest.CreateSigningKey(t, "login")
	url, ca, _ := issuertest.Start(t, "login")
	token, _, err := plugintest.Run(t, "wonderland\n", "token", "--url", url, "--ca", ca, "--client-id", "web", "--username", "alice")
	if err != nil || strings.Count(token, ".") != 2 {
		t.Fatalf("%v %s", err, token)
	}
	if _, _, err := plugintest.Run(t, "wrong\n", "token", "--url", url, "--ca", ca, "--client-id", "web", "--username", "alice"); err == nil ||
		!strings.Contains(err.Error(), "invalid_grant") || strings.Contains(err.Error(), "wrong\n") {
		t.Errorf("a wrong password: %v", err)
	}
	verify := func(in string, args ...string) (string, error) {
		out, _, err := plugintest.Run(t, in, append([]string{"verify", "-", "--signing-key", "login", "-n", "login", "--issuer", issuertest.URL}, args...)...)
		return out, err
	}
	out, err := verify(token, "--audience", "https://shop.example.com")
	var claims map[string]any
	if err != nil || json.Unmarshal([]byte(out), &claims) != nil || claims["sub"] != "a1" {
		t.Errorf("%v %s", err, out)
	}
	if _, err := verify(token, "--audience", "https://other.example.com"); err == nil || !strings.Contains(err.Error(), "audience") {
		t.Errorf("another audience: %v", err)
	}
	if _, err := verify(strings.TrimSpace(token)+"x", "--audience", "https://shop.example.com"); err == nil {
		t.Error("a token that was changed is valid")
	}
	if _, _, err := plugintest.Run(t, "", "verify", "x", "--signing-key", "login", "-n", "default", "--issuer", "i", "--audience", "a"); err == nil {
		t.Error("keys out of nothing")
	}
}
