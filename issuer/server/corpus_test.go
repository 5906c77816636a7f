package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The corpus of attacks that the verifier is tested with, sent to the token endpoint at the time that it is of: as subject
// tokens of an issuer that is trusted, and as the assertions of a client that has its keys.
func TestCorpusOfAttacks(t *testing.T) {
	t.Parallel()
	var corpus struct {
		Issuer, Audience string
		Now              int64
		JWKS             struct{ Keys []json.RawMessage }
		Tokens           []struct{ Class, Name, Token, Want string }
	}
	b, err := os.ReadFile(filepath.Join("..", "..", "verifier", "testdata", "attacks.json"))
	if err == nil {
		err = json.Unmarshal(b, &corpus)
	}
	w := prepare(t)
	w.must(err)
	keys, err := json.Marshal(corpus.JWKS.Keys)
	w.must(err)
	file := filepath.Join(t.TempDir(), "keys.json")
	w.must(os.WriteFile(file, fmt.Appendf(nil, `{"keys":%s}`, keys), 0o600))
	// The issuer that the corpus names is this one in all other tests: only another can be trusted.
	ours := strings.Replace(w.config(), "issuer: "+issuerURL, "issuer: https://ours.example.com", 1)
	w.settings.write(map[string]string{"issuer.yaml": ours + fmt.Sprintf(`- {id: pods, public: true, grantTypes: [%q], subjectIssuers: [them]}
- {id: robot, grantTypes: [client_credentials], publicKeys: %s}
tokenExchange:
- {name: them, issuer: %q, audience: %q, keys: {file: %s}}
`, exchangeGrant, keys, corpus.Issuer, corpus.Audience, file)})
	w.useKey("ES256", newKey(t))
	w.ahead = time.Until(time.Unix(corpus.Now, 0))
	w.start()
	// Package jwtverify says why of all but the first: a provider may type its tokens so.
	others := []string{
		"typ JWT", "no typ", "exp a fraction", "exp an exponent", "client_id null", "scope a list", "scope with a quote", "scope with a tab", "scope with another space",
	}
	accepted := 0
	for _, attack := range corpus.Tokens {
		exchanged := w.post(form("grant_type", exchangeGrant, "client_id", "pods", "subject_token", attack.Token,
			"subject_token_type", "urn:ietf:params:oauth:token-type:jwt"))
		asserted := w.post(form("grant_type", "client_credentials", "client_id", "robot", "client_assertion", attack.Token,
			"client_assertion_type", assertionType))
		if asserted.status == 200 {
			t.Errorf("%s: %s: was accepted as an assertion", attack.Class, attack.Name)
		}
		switch right := attack.Want == "ok"; {
		case exchanged.status == 200 && right:
			accepted++
		case exchanged.status == 200 && !slices.Contains(others, attack.Name):
			t.Errorf("%s: %s: was exchanged", attack.Class, attack.Name)
		case exchanged.status >= 500:
			t.Errorf("%s: %s: %s", attack.Class, attack.Name, exchanged.body)
		}
	}
	if accepted < 7 || len(corpus.Tokens) < 280 {
		t.Errorf("%d of %d tokens were exchanged", accepted, len(corpus.Tokens))
	}
}
