package jwtverify_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keywright/keywright/api/jwks"
	"github.com/keywright/keywright/issuer/jwtverify"
)

// corpus is the one of attacks that the verifier is tested with: verifier/internal/attacks describes it.
type corpus struct {
	Issuer, Audience string
	Now              int64
	JWKS             json.RawMessage
	Tokens           []struct{ Class, Name, Token, Want string }
	KeySets          []struct{ Class, Name, Text string }
}

func readCorpus(t testing.TB) (c corpus) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "verifier", "testdata", "attacks.json"))
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// others are what the verifier refuses, or accepts, since it knows how our own tokens are made.
var others = map[string]string{
	"type confusion: no typ":                           "tokens of an API server have none",
	"time: exp a fraction":                             "RFC 7519 section 2 allows it",
	"time: exp an exponent":                            "JSON allows it",
	"claims of another form: client_id null":           "not used",
	"claims of another form: scope a list":             "not used, and some providers write it so",
	"claims of another form: scope with a quote":       "not used",
	"claims of another form: scope with a tab":         "not used",
	"claims of another form: scope with another space": "not used",
	"valid: expired within the skew":                   "a minute there, half a minute here",
}

// Each attack of the corpus is refused as a subject token and as the assertion of a client, and what is valid is not.
func TestCorpus(t *testing.T) {
	c := readCorpus(t)
	keys, _, err := jwks.Parse(c.JWKS)
	if err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]jwtverify.Expected{
		"a subject token": {Issuer: c.Issuer, Audience: c.Audience, Types: []string{"at+jwt"}},
		"an assertion":    {Issuer: c.Issuer, Audience: c.Audience, Types: []string{"at+jwt"}, OnlyAudience: true, MaxLifetime: time.Hour},
	} {
		tried, accepted := 0, 0
		for _, attack := range c.Tokens {
			if others[attack.Class+": "+attack.Name] != "" {
				continue
			}
			_, err := verify(attack.Token, keys, want, time.Unix(c.Now, 0))
			if (err == nil) != (attack.Want == "ok") {
				t.Errorf("%s: %s: %s: got %v, want %s", what, attack.Class, attack.Name, err, attack.Want)
			}
			if tried++; err == nil {
				accepted++
			}
		}
		if tried < 280 || accepted < 5 {
			t.Errorf("%s: of %d tokens %d were accepted", what, tried, accepted)
		}
	}
}

// Key sets of others are refused for keys that are weak or secret, and for a text that is no key set. What a set of one
// provider for many purposes may have, is not used or left out: keys without alg, kid or use, and keys to encrypt with.
func TestCorpusOfKeySets(t *testing.T) {
	refused := map[string]bool{}
	for _, set := range readCorpus(t).KeySets {
		_, _, err := jwks.Parse([]byte(set.Text))
		refused[set.Name] = err != nil
	}
	for _, name := range []string{
		"an RSA key of 1024 bits", "an RSA key of 16384 bits", "e = 1", "e = 3", "e even", "n even", "a symmetric key", "a private key",
		"a point off its curve", "the point at infinity", "half written", "empty", "no set", "keys twice", "a PEM file", "deep",
	} {
		if !refused[name] {
			t.Errorf("%s was accepted", name)
		}
	}
}
