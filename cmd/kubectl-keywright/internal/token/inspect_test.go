package token

import (
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/untrusted"
	"github.com/keywright/keywright/verifier/verifiertest"
)

func unsigned(parts ...string) string {
	for i := range parts {
		parts[i] = base64.RawURLEncoding.EncodeToString([]byte(parts[i]))
	}
	return strings.Join(parts, ".")
}

func TestInspect(t *testing.T) {
	token := unsigned(`{"alg":"ES256","kid":"k"}`, `{"sub":"a","exp":1700000000,"n":12345678901234567890,"x":"`+"\u202e\u009b31m\U000e0041"+`\u001b[2J<"}`, "signature")
	out, errOut, err := plugintest.RunOffline(t, "Bearer "+token+"\n", "inspect", "-")
	var said struct{ Header, Claims map[string]any }
	if err != nil || json.Unmarshal([]byte(out), &said) != nil || said.Header["kid"] != "k" || said.Claims["x"] != "\u202e\u009b31m\U000e0041\x1b[2J<" {
		t.Errorf("%v\n%s", err, out)
	}
	if strings.ContainsAny(out, "\x1b\u009b\u202e\U000e0041") || !strings.Contains(out, `\u202e\u009b31m\udb40\udc41\u001b[2J<`) ||
		!strings.Contains(out, "12345678901234567890") || strings.Contains(out, base64.RawURLEncoding.EncodeToString([]byte("signature"))) {
		t.Errorf("it prints\n%q", out)
	}
	if !strings.Contains(errOut, "exp        2023-11-14T22:13:20Z, ") || !strings.Contains(errOut, "Nothing was verified") {
		t.Errorf("it says\n%s", errOut)
	}
	out, errOut, err = plugintest.RunOffline(t, "", "inspect", unsigned(`{"enc":"A256GCM"}`, "", "", "", ""))
	if err != nil || !strings.Contains(out, "A256GCM") || !strings.Contains(errOut, "only its recipient") {
		t.Errorf("an encrypted token: %v\n%s%s", err, out, errOut)
	}
	for in, says := range map[string]string{
		" \n": "standard input is empty", "secret": "1 parts between dots", unsigned("[]", "{}", ""): "its header is not a JSON object",
		unsigned("null", "{}", ""): "its header", unsigned("{}", "{}x", ""): "its claims", strings.Repeat("a", untrusted.MaxTokenBytes+1): "longer than",
	} {
		if out, _, err := plugintest.RunOffline(t, in, "inspect", "-"); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") || out != "" {
			t.Errorf("%.20s: want %q, got %v %s", in, says, err, out)
		}
	}
}

// A refusal contains what the token has and what was expected.
func TestRefusals(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	file := filepath.Join(t.TempDir(), "main.json")
	issuer.WriteKeySet(file)
	const name, audience = verifiertest.IssuerName, verifiertest.Audience
	good := issuer.Token("alice")
	header, rest, _ := strings.Cut(good, ".")
	for says, token := range map[string]string{
		`wrong audience: its aud is ["a","b"], not "` + audience + `"`:                                   issuer.Token("alice", verifiertest.ForAudience("a", "b")),
		`wrong issuer: its iss is "https://x\u202e", not "` + name + `"`:                                 issuer.Token("alice", verifiertest.Claim("iss", "https://x\u202e")),
		`wrong token type: its typ is "JWT", not at+jwt (set --type for another)`:                        issuer.Token("alice", verifiertest.OfType("JWT")),
		`expired token: its exp is 20`:                                                                   issuer.Token("alice", verifiertest.Expired()),
		`token not yet valid: its nbf is 2100-01-01T00:00:00Z, in `:                                      issuer.Token("alice", verifiertest.Claim("nbf", 4102444800)),
		`unknown key: its kid is "nobody", and the key set has "`:                                        unsigned(`{"alg":"ES256","kid":"nobody","typ":"at+jwt"}`, "{}", "s"),
		`malformed token: this is not a JWT: it has 2 parts between dots, not 3`:                         header + "." + strings.Split(rest, ".")[0],
		`standard input is empty: pipe the token into the command`:                                       "\n",
		`wrong algorithm: its alg is none, symmetric, unknown or missing: the token has the alg "HS256"`: unsigned(`{"alg":"HS256","kid":"nobody","typ":"at+jwt"}`, "{}", "s"),
	} {
		_, _, err := plugintest.RunOffline(t, token, "verify", "-", "--jwks", file, "--issuer", name, "--audience", audience)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), strings.Split(rest, ".")[1]) {
			t.Errorf("want %q, got %v", says, err)
		}
		want := cli.ExitNegative
		if token == "\n" { // no token was refused
			want = cli.ExitFailed
		}
		if code := cli.ExitCode(t.Context(), err); code != want {
			t.Errorf("%v: the exit code is %d, want %d", err, code, want)
		}
	}
	if out, _, err := plugintest.RunOffline(t, good, "verify", "-", "--jwks", file, "--issuer", name, "--audience", audience); err != nil || !strings.Contains(out, `"sub": "alice"`) {
		t.Errorf("%v %s", err, out)
	}
}
