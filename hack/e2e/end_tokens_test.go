package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// endTokens ends one token, while kubelets look by themselves, and another one, nudged, then all of their user, who can log in again. Its tokens
// outlive what kubelets need, so that no refusal comes of an expiry.
func (s *story) endTokens(t *testing.T) {
	s.setLongestLifetime(t, 5*time.Minute)
	s.run(t, "kubectl delete deployment load -n clients --wait") // its tokens are those of alice, too
	slow, first, second := s.logIn(t), s.logIn(t), s.logIn(t)
	for _, token := range []string{slow, first, second} {
		s.wantAccepted(t, token)
	}
	s.end(t, slow, "--jti "+claimsOf(t, slow).ID)
	s.wantAccepted(t, first)
	s.end(t, first, "--nudge --jti "+claimsOf(t, first).ID)
	s.wantAccepted(t, second)
	s.end(t, second, "--nudge --subject "+claimsOf(t, second).Subject)
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
	s.setLongestLifetime(t, time.Minute)
}

// setLongestLifetime changes how long the SigningKey lets tokens live, and how long the issuer has them live, and waits until it gives such ones.
func (s *story) setLongestLifetime(t *testing.T, lifetime time.Duration) {
	t.Helper()
	s.run(t, fmt.Sprintf(`kubectl patch signingkey main --type merge -p '{"spec":{"token":{"maxLifetime":%q}}}'`, lifetime))
	s.run(t, fmt.Sprintf("kubectl get configmap keywright-issuer -n keywright-system -o json | sed 's/lifetime: [0-9a-z]*/lifetime: %s/' | kubectl replace -f -", lifetime))
	s.until(t, "tokens live for "+lifetime.String(), func() bool {
		s.run(t, "kubectl annotate pods -n keywright-system -l app.kubernetes.io/component=issuer --overwrite keywright.dev/nudged-at=$(date +%s)")
		claims := claimsOf(t, s.logIn(t))
		return claims.Expiry-claims.IssuedAt == int64(lifetime/time.Second)
	})
}

// claims are those that the story reads.
type claims struct {
	Subject  string `json:"sub"`
	ID       string `json:"jti"`
	IssuedAt int64  `json:"iat"`
	Expiry   int64  `json:"exp"`
}

func claimsOf(t *testing.T, token string) claims {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	check(t, err)
	var c claims
	check(t, json.Unmarshal(payload, &c))
	return c
}

// end revokes, and measures how long it takes until a service refuses the token, which has not expired then.
func (s *story) end(t *testing.T, token, what string) {
	t.Helper()
	began := time.Now()
	t.Logf("%s", s.run(t, "kubectl keywright revoke main "+what+" --yes"))
	s.until(t, "the service refuses the token", func() bool { return !strings.Contains(s.call(t, "shop", token), "hello ") })
	if left := time.Until(time.Unix(claimsOf(t, token).Expiry, 0)); left < time.Minute {
		t.Errorf("%s: the token has %v left, and may have been refused for that", what, left)
	}
	t.Logf("%s: refused after %.1f s, the command and a port-forward for each call included", what, time.Since(began).Seconds())
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
