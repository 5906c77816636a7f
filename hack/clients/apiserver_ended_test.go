package clients_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// rules are what `kubectl keywright revocations -o cel` writes about Revocations.
func (s *apiServer) rules(specs ...keywrightv1alpha1.RevocationSpec) string {
	s.Helper()
	admin := s.withKeywright()
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "main"}}
	key.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	must(s, admin.Create(s.Context(), key))
	for _, spec := range specs {
		must(s, admin.Create(s.Context(), ended(spec)))
	}
	plugin := filepath.Join(s.TempDir(), "kubectl-keywright")
	if out, err := exec.CommandContext(s.Context(), "go", "-C", "../..", "build", "-o", plugin, "./cmd/kubectl-keywright").CombinedOutput(); err != nil {
		s.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(s.Context(), plugin, "revocations", "main", "-o", "cel", "--kubeconfig", s.kubeconfig())
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	must(s, err)
	return string(out)
}

// sign makes a token of the issuer with these claims, and those that every token has.
func (k *keyring) sign(t *testing.T, issuer string, claims map[string]any) string {
	t.Helper()
	all := map[string]any{"iss": issuer, "aud": audience, "sub": "1", "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range claims {
		all[name] = value
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k.active}, (&jose.SignerOptions{}).WithType("at+jwt"))
	must(t, err)
	payload, err := json.Marshal(all)
	must(t, err)
	signed, err := signer.Sign(payload)
	must(t, err)
	token, err := signed.CompactSerialize()
	must(t, err)
	return token
}

// A kube-apiserver takes over the rules that the plugin writes while it runs, and refuses what was ended, to the second, and nothing else.
func TestAPIServerRefusesEndedTokens(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	at := &metav1.Time{Time: now.Add(-30 * time.Minute)}
	const odd = `o'"\d λ`
	rules := newAPIServer(t, "").rules(
		keywrightv1alpha1.RevocationSpec{TokenID: "j1"}, keywrightv1alpha1.RevocationSpec{TokenID: odd}, keywrightv1alpha1.RevocationSpec{SessionID: "s1"},
		keywrightv1alpha1.RevocationSpec{Subject: "bob", IssuedBefore: at}, keywrightv1alpha1.RevocationSpec{Subject: odd, IssuedBefore: at},
		keywrightv1alpha1.RevocationSpec{ClientID: "web", IssuedBefore: at},
		keywrightv1alpha1.RevocationSpec{Everything: true, IssuedBefore: &metav1.Time{Time: now.Add(-2 * time.Hour)}},
	)
	a, k := newAuthority(t), newKeyring(t)
	r := startIssuer(t, a, k, options{})
	ca, err := os.ReadFile(a.crt())
	must(t, err)
	configuration := authenticationConfiguration(r.url, string(ca))
	const place = "  claimValidationRules:\n"
	if !strings.Contains(configuration, place) {
		t.Fatal("the example of docs/apiserver.md has no claimValidationRules")
	}
	s := newAPIServer(t, configuration)
	accepted := func(claims map[string]any) bool {
		_, err := s.whoAmI(k.sign(t, r.url, claims))
		if err != nil && !apierrors.IsUnauthorized(err) {
			t.Fatal(err)
		}
		return err == nil
	}
	iat := now.Unix()
	until(t, "a token accepted", time.Minute, func() bool { return accepted(map[string]any{"iat": iat}) })
	if !accepted(map[string]any{"iat": iat, "jti": "j1"}) {
		t.Error("a token is refused before there are rules")
	}
	must(t, os.WriteFile(s.authentication, []byte(strings.Replace(configuration, place, place+"  "+strings.ReplaceAll(strings.TrimSpace(rules), "\n", "\n  ")+"\n", 1)), 0o600))
	until(t, "the rules in force", 2*time.Minute, func() bool { return !accepted(map[string]any{"iat": iat, "jti": "j1"}) })
	last := at.Add(time.Minute).Unix() // the clockSkew counts, too
	for _, c := range []struct {
		what     string
		claims   map[string]any
		accepted bool
	}{
		{"another token", map[string]any{"iat": iat, "jti": "j2", "sid": "s2", "client_id": "batch"}, true},
		{"a token ID", map[string]any{"iat": iat, "jti": "j1"}, false},
		{"an odd token ID", map[string]any{"iat": iat, "jti": odd}, false},
		{"a session", map[string]any{"iat": iat, "sid": "s1"}, false},
		{"a session as a token ID", map[string]any{"iat": iat, "jti": "s1"}, true},
		{"a subject, before", map[string]any{"iat": last, "sub": "bob"}, false},
		{"a subject, after", map[string]any{"iat": last + 1, "sub": "bob"}, true},
		{"an odd subject, before", map[string]any{"iat": last, "sub": odd}, false},
		{"an odd subject, after", map[string]any{"iat": last + 1, "sub": odd}, true},
		{"a subject, refreshed", map[string]any{"iat": iat, "auth_time": last, "sub": "bob"}, false},
		{"a subject, logged in again", map[string]any{"iat": iat, "auth_time": last + 1, "sub": "bob"}, true},
		{"a subject, no time", map[string]any{"sub": "bob"}, false},
		{"a client, before", map[string]any{"iat": last, "client_id": "web"}, false},
		{"a client, after", map[string]any{"iat": last + 1, "client_id": "web"}, true},
		{"everything, before", map[string]any{"iat": now.Add(-2*time.Hour + time.Minute).Unix()}, false},
		{"everything, after", map[string]any{"iat": now.Add(-2*time.Hour+time.Minute).Unix() + 1}, true},
	} {
		if accepted(c.claims) != c.accepted {
			t.Errorf("%s: accepted: %v\n%s", c.what, !c.accepted, rules)
		}
	}
}
