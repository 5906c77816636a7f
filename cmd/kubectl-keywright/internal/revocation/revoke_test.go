package revocation

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/receipt"
)

// Without --key, revoke adds the key to the spec of the SigningKey, and shows its receipt.
func TestRevoke(t *testing.T) {
	key := plugintest.CreateSigningKey(t, "revoke")
	kid := key.Status.ActiveKeyID
	if _, asked, err := plugintest.Run(t, "n\n", "revoke", "revoke", kid); err == nil || !strings.Contains(asked, "[y/N]") || err.Error() != "not revoked" {
		t.Errorf("%v %s", err, asked)
	}
	if _, _, err := plugintest.Run(t, "", "revoke", "revoke", kid); err == nil || !strings.Contains(err.Error(), "--yes") {
		t.Errorf("nobody answers: %v", err)
	}
	out, asked, err := plugintest.Run(t, "y\n", "revoke", "revoke", kid)
	if err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{
		"Requested the revocation of key " + kid + " of SigningKey revoke.", "Recorded: the revocation of key " + kid, "Another key signs", "Removed from the files of 2 of 2 namespaces",
		"Every running pod should have removed it by ", "(Kubernetes cannot confirm this)",
	} {
		if !strings.Contains(out, says) {
			t.Errorf("it does not say %q:\n%s", says, out)
		}
	}
	if !strings.Contains(asked, "signs now") {
		t.Error(asked)
	}
	var cm corev1.ConfigMap
	if err := plugintest.Admin().Get(t.Context(), client.ObjectKey{Namespace: "revoke", Name: "keywright-jwks"}, &cm); err != nil || strings.Contains(cm.Data["revoke.json"], kid) {
		t.Errorf("%v %v", err, cm.Data)
	}
	for _, form := range [][]string{{kid}, {"--key", kid, "--no-wait"}} {
		if out, _, err := plugintest.Run(t, "", append([]string{"revoke", "revoke", "--yes"}, form...)...); err != nil {
			t.Errorf("a key that was revoked before, %v: %v %s", form, err, out)
		}
	}
}

// A mistyped key ID is refused, and the error lists the keys.
func TestRevokeUnknownKey(t *testing.T) {
	key := plugintest.CreateSigningKey(t, "mistyped")
	unknown := strings.Repeat("x", 43)
	for _, form := range [][]string{{unknown}, {"--key", unknown}} {
		_, _, err := plugintest.Run(t, "", append([]string{"revoke", "mistyped", "--yes"}, form...)...)
		var usage *cli.UsageError
		if err == nil || errors.As(err, &usage) {
			t.Fatalf("%v: %v", form, err)
		}
		for _, says := range []string{"has no key " + unknown, "nothing was revoked", key.Status.Keys[0].KeyID + " (Active)", key.Status.Keys[1].KeyID + " (Standby)", "--unknown"} {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%v does not say %q: %v", form, says, err)
			}
		}
	}
	if left := plugintest.Revocations(t, "mistyped"); len(left) != 0 {
		t.Errorf("%+v", left)
	}
	out, asked, err := plugintest.Run(t, "", "revoke", "mistyped", unknown, "--yes", "--unknown")
	if err != nil || !strings.Contains(asked, "has no key") || !strings.Contains(out, "never had") {
		t.Errorf("%v %s %s", err, asked, out)
	}
	if _, _, err := plugintest.Run(t, "", "revoke", "mistyped", "--key", unknown, "--yes", "--unknown"); err != nil || len(plugintest.Revocations(t, "mistyped")) != 1 {
		t.Errorf("%v", err)
	}
	if _, _, err := plugintest.Run(t, "", "revoke", "mistyped", "too-short", "--yes", "--unknown"); err == nil || !strings.Contains(err.Error(), "should match") {
		t.Errorf("a kid that cannot be one: %v", err)
	}
}

// The revocation of a Standby does not warn of live tokens: it has signed none.
func TestRevokeStandby(t *testing.T) {
	key := plugintest.CreateSigningKey(t, "standby")
	_, asked, err := plugintest.Run(t, "n\n", "revoke", "standby", key.Status.Keys[1].KeyID)
	if err == nil || !strings.Contains(asked, "It never signed, so no token is rejected") || strings.Contains(asked, "Pods reject") {
		t.Errorf("%v %s", err, asked)
	}
}

// Each flag creates a Revocation with the same meaning.
func TestRevokeCreates(t *testing.T) {
	key := plugintest.CreateSigningKey(t, "creates")
	for _, c := range []struct {
		args      string
		is        func(*keywrightv1alpha1.RevocationSpec) bool
		says      string
		has, told string
	}{
		{"--jti j1 --ttl 24h", func(s *keywrightv1alpha1.RevocationSpec) bool {
			return s.TokenID == "j1" && s.TTLAfterExpiry.Duration == 24*time.Hour && s.IssuedBefore == nil
		}, "within 90 s", `it revokes the token with jti "j1"`, "should reject it by"},
		{"--session s1 --nudge", func(s *keywrightv1alpha1.RevocationSpec) bool { return s.SessionID == "s1" && s.Nudge }, "Its refresh token is revoked", "Pods of the issuer nudged", "Added to the revocation lists of 2 of 2 namespaces"},
		{"--subject alice --issued-before 2026-01-02T03:04:05.6+01:00", func(s *keywrightv1alpha1.RevocationSpec) bool {
			return s.Subject == "alice" && s.IssuedBefore.UTC().Format(time.RFC3339Nano) == "2026-01-02T02:04:05Z"
		}, "log in again after the clockSkew of 1s", "issued until 2026-01-02T02:04:05Z", "Added to the revocation lists of 2 of 2 namespaces"},
		{"--client web --reason INC-1", func(s *keywrightv1alpha1.RevocationSpec) bool {
			return s.ClientID == "web" && s.Reason == "INC-1" && time.Since(s.IssuedBefore.Time) < time.Minute
		}, "remove it from the issuer", "", ""},
		{"--everything", func(s *keywrightv1alpha1.RevocationSpec) bool {
			return s.Everything && time.Since(s.IssuedBefore.Time) < time.Minute
		}, "logins pause for the clockSkew of 1s", "all tokens", ""},
		{"--key " + key.Status.ActiveKeyID + " --keep-sessions", func(s *keywrightv1alpha1.RevocationSpec) bool {
			return s.KeyID == key.Status.ActiveKeyID && s.KeepSessions && s.IssuedBefore == nil
		}, "signs now", "Removed from the files of 2 of 2 namespaces", "should have removed it by"},
	} {
		before := len(plugintest.Revocations(t, "creates"))
		out, asked, err := plugintest.Run(t, "y\n", append([]string{"revoke", "creates", "-w"}, strings.Fields(c.args)...)...)
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		found := false
		all := plugintest.Revocations(t, "creates")
		for i := range all {
			found = found || c.is(&all[i].Spec)
		}
		if len(all) != before+1 || !found || !strings.Contains(asked, c.says) || !strings.Contains(out, c.has) || !strings.Contains(out, c.told) {
			t.Errorf("%s: %v of %d\n%s\n%s", c.args, found, len(all), asked, out)
		}
	}
	if out, asked, err := plugintest.Run(t, "", "revoke", "creates", "--jti", "j2", "--yes"); err != nil || !strings.Contains(asked, "`kubectl keywright revocations creates`") || strings.Contains(out, "Recorded") {
		t.Errorf("without -w: %v %s %s", err, asked, out)
	}
}

func TestRevokeMistakes(t *testing.T) {
	plugintest.CreateSigningKey(t, "mistakes")
	for args, says := range map[string]string{
		"":                                      "name exactly one of",
		"--jti a --subject b":                   "name exactly one of",
		"--everything --client b":               "name exactly one of",
		"KID --key KID":                         "name one key",
		"KID --keep-sessions":                   "name the key with --key",
		"--jti a --keep-sessions":               "for keys only",
		"--subject a --unknown":                 "for keys only",
		"--key a --ttl 1h":                      "never deleted",
		"--jti a --issued-before now":           "--issued-before is for",
		"--subject a --issued-before yesterday": "a time like 20",
		"--subject a --issued-before 2126-01-01T00:00:00Z": "in the future",
		"--subject a -w --no-wait":                         "cannot be combined",
	} {
		_, asked, err := plugintest.Run(t, "", append([]string{"revoke", "mistakes"}, strings.Fields(args)...)...)
		var usage *cli.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), says) || asked != "" {
			t.Errorf("%s: %v %s", args, err, asked)
		}
	}
	for what, args := range map[string][]string{
		"a subject of 10 KB":  {"--subject", strings.Repeat("x", 10<<10)},
		"a control character": {"--jti", "a\x07b"},
	} {
		if _, _, err := plugintest.Run(t, "", append([]string{"revoke", "mistakes", "--yes"}, args...)...); err == nil {
			t.Errorf("%s is accepted", what)
		} else {
			t.Logf("%s: %.200s", what, err)
		}
	}
	if left := plugintest.Revocations(t, "mistakes"); len(left) != 0 {
		t.Errorf("%+v", left)
	}
}

// revoke --token asks by which claim of the token to revoke.
func TestRevokeToken(t *testing.T) {
	key := plugintest.CreateSigningKey(t, "pasted")
	kid := key.Status.ActiveKeyID
	full := plugintest.Token(kid, `{"jti":"j1","sid":"s1","sub":"alice","client_id":"web","iss":"https://issuer.example.com","exp":4102444800}`)
	ends := func(in string, args ...string) (string, string, error) {
		before := len(plugintest.Revocations(t, "pasted"))
		out, asked, err := plugintest.Run(t, in, append([]string{"revoke", "pasted"}, args...)...)
		if made := len(plugintest.Revocations(t, "pasted")) - before; (made == 1) != (err == nil) {
			t.Errorf("%v: %d Revocations and %v", args, made, err)
		}
		return out, asked, err
	}
	for n, says := range map[string]string{"1": `the token with jti "j1"`, "2": `the session with sid "s1"`, "3": `all tokens of subject "alice"`, "4": `all tokens of client "web"`} {
		out, asked, err := ends(full+"\n"+n+"\ny\n", "--token", "-")
		if err != nil || !strings.Contains(out, says) || !strings.Contains(asked, "The signature was not checked") || strings.Contains(asked, "Warning") || strings.Contains(asked+out, full) {
			t.Errorf("%s: %v\n%s\n%s", n, err, asked, out)
		}
	}
	if out, _, err := ends("3\ny\n", "--token", full); err != nil || !strings.Contains(out, "alice") {
		t.Errorf("as an argument: %v %s", err, out)
	}
	if out, _, err := ends(full, "--token", "-", "--yes"); err != nil || !strings.Contains(out, "j1") {
		t.Errorf("--yes: %v %s", err, out)
	}
	if _, asked, err := ends(plugintest.Token(strings.Repeat("y", 43), `{"jti":"a\u0007","exp":1}`)+"\n1\nn\n", "--token", "-"); err == nil ||
		!strings.Contains(asked, "Warning: SigningKey pasted has no key") || !strings.Contains(asked, "expired at 1970") || strings.Contains(asked, "\x07") {
		t.Errorf("a token of somebody else: %v %q", err, asked)
	}
	plugintest.CreateSigningKey(t, "stranger")
	if _, asked, err := plugintest.RunAs(t, plugintest.Kubeconfig(), full+"\n9\n", "revoke", "stranger", "--token", "-"); err == nil || !strings.Contains(asked, "it is a key of SigningKey pasted") {
		t.Errorf("a token of another SigningKey: %v %s", err, asked)
	}
	for token, says := range map[string]string{
		"":                                 "no token on standard input",
		"hello":                            "not a JWT: it has 1 parts",
		"a.b.c.d.e":                        "encrypted",
		"a.b.c":                            "not a JWT",
		plugintest.Token(kid, `[]`):        "not a JWT with claims",
		plugintest.Token(kid, `{"sub":1}`): "not a JWT with claims",
		plugintest.Token(kid, `{"scope":"read"}`): "revoke pasted --key " + kid,
	} {
		if _, _, err := ends(token+"\n1\ny\n", "--token", "-"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", token, err)
		}
	}
	if _, _, err := ends(plugintest.Token(kid, `{"sub":"alice"}`), "--token", "-", "--yes"); err == nil || !strings.Contains(err.Error(), "no jti") {
		t.Errorf("--yes without a jti: %v", err)
	}
}

// A wait prints what it waits for about every two seconds, and why the controller refuses a Revocation.
func TestWaitForReceipt(t *testing.T) {
	plugintest.CreateSigningKey(t, "awaited")
	future := "2126-01-01T00:00:00Z"
	at, err := time.Parse(time.RFC3339, future)
	if err != nil {
		t.Fatal(err)
	}
	made := &keywrightv1alpha1.Revocation{Spec: keywrightv1alpha1.RevocationSpec{SigningKey: "awaited", Subject: "a", IssuedBefore: &metav1.Time{Time: at}}}
	made.Name = "awaited-future"
	if err := plugintest.Admin().Create(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	env := &cli.Env{IOStreams: genericiooptions.NewTestIOStreamsDiscard(), Now: time.Now}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := receipt.Await(ctx, env, plugintest.Admin(), "awaited-future"); err == nil || !strings.Contains(err.Error(), "the controller refuses Revocation awaited-future: spec.issuedBefore is after") {
		t.Errorf("%v", err)
	}
	plugintest.StopController(t)
	_, errOut, err := plugintest.RunUntil(t, nil, "Still waiting after 4s", "revoke", "awaited", "--jti", "j1", "--yes", "-w")
	if err == nil || !strings.HasPrefix(err.Error(), "stopped waiting: the request stays valid, and `kubectl get revocation awaited-") {
		t.Errorf("%v", err)
	}
	if !strings.Contains(errOut, "Waiting for the controller to see the request.\nStill waiting after 2s.") {
		t.Error(errOut)
	}
	_, errOut, err = plugintest.RunUntil(t, nil, "no controller has picked up the request", "revoke", "awaited", "--subject", "a", "--yes", "-w")
	if err == nil || !strings.Contains(errOut, `pods accept all tokens of subject "a"`) || !strings.Contains(errOut, "Still waiting. If you stop this command, the request stays in place.") {
		t.Errorf("%v %s", err, errOut)
	}
}

// A key of an older version may have an ID that looks like a flag.
func TestKeyIDsThatLookLikeFlags(t *testing.T) {
	const kid = "-YXmKlkWSd1woAw70SXrqD8CFKLuCedafb53Ejghi2I"
	for _, args := range [][]string{{"revoke", "missing", "--yes", "--", kid}, {"revoke", "missing", "--key", kid, "--yes"}} {
		if _, _, err := plugintest.Run(t, "", args...); err == nil || !strings.Contains(err.Error(), `no SigningKey "missing"`) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
