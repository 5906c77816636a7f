package revocation

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/issuertest"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
)

func TestRevocations(t *testing.T) {
	plugintest.CreateSigningKey(t, "listed")
	if out, errOut, err := plugintest.Run(t, "", "revocations", "listed"); err != nil || out != "" || !strings.Contains(errOut, "There are no Revocations") {
		t.Errorf("%v %s %s", err, out, errOut)
	}
	for _, what := range []string{"--jti j1", "--subject alice --issued-before 2026-01-02T03:04:05Z"} {
		if _, _, err := plugintest.Run(t, "", append([]string{"revoke", "listed", "--yes", "-w"}, strings.Fields(what)...)...); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"revocations", "listed"}, {"revocations"}} {
		out, _, err := plugintest.Run(t, "", args...)
		for _, says := range []string{"NAME", "EXPIRES IN", `the token with jti "j1"`, `all tokens of subject "alice" issued until 2026-01-02T03:04:05Z`, "Removed"} {
			if err != nil || !strings.Contains(out, says) {
				t.Errorf("%v: %v, it does not say %q:\n%s", args, err, says, out)
			}
		}
		if left := regexp.MustCompile(`  1[01]m  `); len(left.FindAllString(out, -1)) != 2 { // ends are full minutes
			t.Errorf("%v: it does not say how long each is left:\n%s", args, out)
		}
	}
	for _, format := range []string{"json", "yaml"} {
		out, _, err := plugintest.Run(t, "", "revocations", "listed", "-o", format)
		b, converted := yaml.YAMLToJSON([]byte(out))
		var list keywrightv1alpha1.RevocationList
		if err != nil || converted != nil || json.Unmarshal(b, &list) != nil || len(list.Items) != 2 || list.Kind != "RevocationList" || list.Items[0].Kind != "Revocation" {
			t.Errorf("%s: %v %v\n%s", format, err, converted, out)
		}
	}
	for format, says := range map[string]string{
		"cel": `claims.jti in ["j1"]`, "istio": "key: request.auth.claims[sub]", "envoy-gateway": "action: Deny",
	} {
		out, _, err := plugintest.Run(t, "", "revocations", "listed", "-o", format)
		if err != nil || !strings.Contains(out, says) || !strings.HasPrefix(out, "# Revocations of SigningKey listed") {
			t.Errorf("%s: %v\n%s", format, err, out)
		}
	}
	for args, says := range map[string]string{"revocations -o xml": "--output must be", "revocations -o cel": "needs the NAME", "revocations missing": "there is no SigningKey"} {
		if _, _, err := plugintest.Run(t, "", strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// someRevocations returns Revocations of each kind, an expired one, a refused one, and two of one subject.
func someRevocations(now time.Time) []keywrightv1alpha1.Revocation {
	at := &metav1.Time{Time: now}
	earlier := &metav1.Time{Time: now.Add(-time.Hour)}
	specs := []keywrightv1alpha1.RevocationSpec{
		{TokenID: "j2"},
		{TokenID: `j"1`},
		{SessionID: "s1"},
		{Subject: "alice", IssuedBefore: at},
		{Subject: "alice", IssuedBefore: earlier},
		{ClientID: "web*", IssuedBefore: at},
		{KeyID: strings.Repeat("k", 43)},
		{TokenID: "gone"},
	}
	var list []keywrightv1alpha1.Revocation
	for _, s := range specs {
		list = append(list, keywrightv1alpha1.Revocation{Spec: s})
	}
	list[len(list)-1].Status.ExpiresAt = earlier
	refused := keywrightv1alpha1.Revocation{Spec: keywrightv1alpha1.RevocationSpec{Subject: "bob", IssuedBefore: &metav1.Time{Time: now.Add(time.Hour)}}}
	refused.Status.Conditions = []metav1.Condition{{Type: keywrightv1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: keywrightv1alpha1.ReasonInFuture, Message: "in the future"}}
	return append(list, refused)
}

func TestRulesForOtherSoftware(t *testing.T) {
	now := time.Date(2026, 11, 26, 14, 0, 0, 0, time.UTC)
	e := collect(someRevocations(now), time.Minute, now)
	const issued = "int(has(claims.auth_time) ? claims.auth_time : claims.iat)"
	if diff := cmp.Diff([]celRule{
		{`!(has(claims.jti) && claims.jti in ["j\"1", "j2"])`, "the token is revoked by its jti"},
		{`!(has(claims.sid) && claims.sid in ["s1"])`, "the token is revoked by its sid"},
		{`!(has(claims.client_id) && claims.client_id in {"web*": 1795701660} && ` + issued + ` <= {"web*": 1795701660}[claims.client_id])`, "tokens of this client_id that were issued up to a certain time are revoked"},
		{`!(has(claims.sub) && claims.sub in {"alice": 1795701660} && ` + issued + ` <= {"alice": 1795701660}[claims.sub])`, "tokens of this sub that were issued up to a certain time are revoked"},
	}, e.cel()); diff != "" {
		t.Error(diff)
	}
	e.all = now
	if rules := e.cel(); rules[len(rules)-1].Expression != issued+" > 1795701600" {
		t.Errorf("%v", rules)
	}
	policy, left := e.istio("main")
	b, err := yaml.Marshal(policy)
	if err != nil || len(left) != 1 || left[0] != "web*" {
		t.Errorf("%v %v", err, left)
	}
	if diff := cmp.Diff(`apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: keywright-ended-main
spec:
  action: DENY
  rules:
  - when:
    - key: request.auth.claims[jti]
      values:
      - j"1
      - j2
  - when:
    - key: request.auth.claims[sid]
      values:
      - s1
  - when:
    - key: request.auth.claims[sub]
      values:
      - alice
`, string(b)); diff != "" {
		t.Error(diff)
	}
	limits := strings.Join(e.limits(), "\n")
	for _, says := range []string{`Every token with this sub is rejected, including new ones, until you generate the rules again, because they cannot compare times: "alice"`, `client_id`, "NOT REJECTED, because these rules cannot compare times: all tokens issued until 2026-11-26T14:00:00Z"} {
		if !strings.Contains(limits, says) {
			t.Errorf("it does not say %q:\n%s", says, limits)
		}
	}
}

// An expression for a kube-apiserver has at most 100,000 characters, for any values.
func TestRulesAreShort(t *testing.T) {
	for what, value := range map[string]string{"usual": "%026d", "long": strings.Repeat("x", 250) + "%04d", "of one character": "%c", "escaped": strings.Repeat("\u2028", 60) + "%04d"} {
		var list []keywrightv1alpha1.Revocation
		for i := range 9000 {
			list = append(list, keywrightv1alpha1.Revocation{Spec: keywrightv1alpha1.RevocationSpec{Subject: fmt.Sprintf(value, i+0x4e00), IssuedBefore: &metav1.Time{Time: time.Unix(1, 0)}}},
				keywrightv1alpha1.Revocation{Spec: keywrightv1alpha1.RevocationSpec{TokenID: fmt.Sprintf(value, i+0x4e00)}})
		}
		e := collect(list, 0, time.Now())
		said := 0
		for _, rule := range e.cel() {
			said += strings.Count(rule.Expression, ", ") + 1
			if n := len([]rune(rule.Expression)); n > 100_000 {
				t.Errorf("%s: an expression of %d characters", what, n)
			}
		}
		if said < 18000 {
			t.Errorf("%s: %d values of 18000", what, said)
		}
	}
}

// Envoy Gateway accepts at most 128 values per rule. Without a rule it accepts tokens only if the default action is Allow.
func TestRulesForEnvoyGateway(t *testing.T) {
	var list []keywrightv1alpha1.Revocation
	for i := range 300 {
		list = append(list, keywrightv1alpha1.Revocation{Spec: keywrightv1alpha1.RevocationSpec{ClientID: fmt.Sprintf("c%03d", i), IssuedBefore: &metav1.Time{Time: time.Unix(1, 0)}}})
	}
	for n, rules := range map[int]int{0: 0, 128: 1, 129: 2, 300: 3} {
		e := collect(list[:n], 0, time.Now())
		b, err := yaml.Marshal(e.envoyGateway())
		var got struct {
			Authorization struct {
				DefaultAction string
				Rules         []struct {
					Name, Action string
					Principal    struct {
						JWT struct{ Claims []struct{ Values []string } }
					}
				}
			}
		}
		if err != nil || yaml.Unmarshal(b, &got) != nil || got.Authorization.DefaultAction != "Allow" || len(got.Authorization.Rules) != rules {
			t.Fatalf("%d: %v\n%s", n, err, b)
		}
		values := 0
		for i, r := range got.Authorization.Rules {
			values += len(r.Principal.JWT.Claims[0].Values)
			if len(r.Principal.JWT.Claims[0].Values) > 128 || r.Name != fmt.Sprintf("ended-client-id-%d", i+1) || r.Action != "Deny" {
				t.Errorf("%d: %+v", n, r)
			}
		}
		if values != n {
			t.Errorf("%d values of %d", values, n)
		}
	}
}

// verify rejects tokens in a revocation list: that of --revoked, or that of the namespace.
func TestVerifyRevoked(t *testing.T) {
	plugintest.CreateSigningKey(t, "ends")
	url, ca, _ := issuertest.Start(t, "ends")
	token, _, err := plugintest.Run(t, "wonderland\n", "token", "--url", url, "--ca", ca, "--client-id", "web", "--username", "alice")
	if err != nil {
		t.Fatal(err)
	}
	claims, err := readClaims(token)
	if err != nil || claims.TokenID == "" || claims.kid == "" {
		t.Fatalf("%v %+v", err, claims)
	}
	far := time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)
	past := time.Now().Add(-time.Hour).Truncate(time.Second)
	for name, c := range map[string]struct {
		list  issuerfiles.Revoked
		ended bool
	}{
		"empty":                {issuerfiles.Revoked{}, false},
		"its jti":              {issuerfiles.Revoked{Ended: map[string]time.Time{issuerfiles.Digest("jti", claims.TokenID): far}}, true},
		"its subject":          {issuerfiles.Revoked{Ended: map[string]time.Time{issuerfiles.Digest("sub", "a1"): far}}, true},
		"its subject, earlier": {issuerfiles.Revoked{Ended: map[string]time.Time{issuerfiles.Digest("sub", "a1"): past}}, false},
		"its client":           {issuerfiles.Revoked{Ended: map[string]time.Time{issuerfiles.Digest("client_id", "web"): far}}, true},
		"another subject":      {issuerfiles.Revoked{Ended: map[string]time.Time{issuerfiles.Digest("sub", "web"): far}}, false},
		"everything":           {issuerfiles.Revoked{AllBefore: far}, true},
		"everything, earlier":  {issuerfiles.Revoked{AllBefore: past, ClockSkew: time.Minute}, false},
		"another key":          {issuerfiles.Revoked{KeyIDs: []string{strings.Repeat("k", 43)}}, false},
	} {
		file := filepath.Join(t.TempDir(), "ends.revoked")
		if err := os.WriteFile(file, c.list.Encode(), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _, err := plugintest.Run(t, token, "verify", "-", "--signing-key", "ends", "-n", "ends", "--issuer", issuertest.URL, "--audience", "https://shop.example.com", "--revoked", file)
		if c.ended != (err != nil && strings.HasPrefix(err.Error(), "revoked token") && out == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
	verify := func() error {
		_, _, err := plugintest.Run(t, token, "verify", "-", "--signing-key", "ends", "-n", "ends", "--issuer", issuertest.URL, "--audience", "https://shop.example.com")
		return err
	}
	if err := verify(); err != nil {
		t.Errorf("before it was ended: %v", err)
	}
	if out, _, err := plugintest.Run(t, token, "revoke", "ends", "--token", "-", "--yes", "-w"); err != nil || !strings.Contains(out, claims.TokenID) {
		t.Fatalf("%v %s", err, out)
	}
	if err := verify(); err == nil || !strings.HasPrefix(err.Error(), "revoked token") {
		t.Errorf("after it was ended, with the list of the namespace: %v", err)
	}
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{broken, "/nowhere"} {
		if _, _, err := plugintest.Run(t, token, "verify", "-", "--signing-key", "ends", "-n", "ends", "--issuer", issuertest.URL, "--audience", "https://shop.example.com", "--revoked", file); err == nil {
			t.Errorf("%s is taken for a list", file)
		}
	}
}
