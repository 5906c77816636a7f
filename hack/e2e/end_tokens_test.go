package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// endTokens ends one token of two, then all of their user, who can log in again.
func (s *story) endTokens(t *testing.T) {
	s.run(t, "kubectl delete deployment load -n clients --wait") // its tokens are those of alice, too
	first, second := s.logIn(t), s.logIn(t)
	s.wantAccepted(t, first)
	s.wantAccepted(t, second)
	var claims struct{ Sub, Jti string }
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(first, ".")[1])
	check(t, err)
	check(t, json.Unmarshal(payload, &claims))

	s.end(t, first, "--jti "+claims.Jti)
	s.wantAccepted(t, second)
	s.end(t, second, "--subject "+claims.Sub)
	t.Logf("%s", s.run(t, "kubectl keywright revocations main && kubectl get revocations"))

	// Until the clockSkew after the Revocation is over, an issuer says when to come again, or gives a token that counts as issued before it
	// while it has not heard of it.
	began := time.Now()
	for again := ""; !strings.Contains(again, "hello "); {
		out, err := s.tryLogIn()
		if err == nil {
			again = s.call(t, "shop", strings.TrimSpace(out))
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("nobody can log in again: %s %s", out, again)
		}
	}
	t.Logf("logged in again, and accepted, after %.1f s", time.Since(began).Seconds())
}

// end revokes, nudged, and measures how long it takes until a service refuses the token.
func (s *story) end(t *testing.T, token, what string) {
	t.Helper()
	began := time.Now()
	t.Logf("%s", s.run(t, "kubectl keywright revoke main "+what+" --nudge --yes"))
	s.until(t, "the service refuses the token", func() bool { return !strings.Contains(s.call(t, "shop", token), "hello ") })
	t.Logf("%s: refused after %.1f s, the command and a port-forward for each call included", strings.Fields(what)[0], time.Since(began).Seconds())
}

func (s *story) wantAccepted(t *testing.T, token string) {
	t.Helper()
	if out := s.call(t, "shop", token); !strings.Contains(out, "hello ") {
		t.Errorf("a valid token is refused: %s", out)
	}
}

// call calls a service with a token, and returns its answer.
func (s *story) call(t *testing.T, service, token string) string {
	t.Helper()
	return s.feed(t, forward(service, "deployment/"+service, 9443)+fmt.Sprintf(
		`curl -sS --cacert services-ca.crt --connect-to %[1]s.%[1]s.svc:443:localhost:9443 https://%[1]s.%[1]s.svc/ -H "Authorization: Bearer $(cat)"`, service), token)
}

// logIn returns a token of alice.
func (s *story) logIn(t *testing.T) string {
	t.Helper()
	out, err := s.tryLogIn()
	if err != nil {
		t.Fatalf("alice cannot log in: %v\n%s", err, out)
	}
	return strings.TrimSpace(out)
}

func (s *story) tryLogIn() (string, error) {
	return s.try(forward("keywright-system", "deployment/keywright-issuer", 8443)+
		"kubectl keywright token --ca issuer-ca.crt --url https://localhost:8443 --client-id web --username alice", s.password)
}
