package verifier

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keywright/keywright/verifier/dpop"
)

// attackCorpus is testdata/attacks.json, which internal/attacks describes and writes.
type attackCorpus struct {
	Issuer, Audience string
	Now              int64
	JWKS             json.RawMessage
	Tokens           []struct{ Class, Name, Token, Want string }
	KeySets          []struct{ Class, Name, Text string }
	Ended            []struct{ Class, Name, List, Token, Want string }
	RevocationLists  []struct{ Class, Name, Text string }
	Requests         []struct {
		Class, Name, Method, URL, Authorization, Want string
		Proofs                                        []string
		Sent                                          int
	}
}

func readCorpus(t testing.TB) attackCorpus {
	var corpus attackCorpus
	must(0, json.Unmarshal(must(os.ReadFile(filepath.Join("testdata", "attacks.json"))), &corpus))
	return corpus
}

// Every attack of the corpus is refused for the reason that it gives, however often it comes, and with the strict path
// alone; and what is valid is accepted.
func TestCorpus(t *testing.T) {
	corpus := readCorpus(t)
	path := filepath.Join(t.TempDir(), "main.json")
	must(0, os.WriteFile(path, corpus.JWKS, 0o644))
	config := Config{
		Issuers: map[string]Source{corpus.Issuer: File(path)}, Audience: corpus.Audience,
		Now: func() time.Time { return time.Unix(corpus.Now, 0) }, Logger: (&log{}).logger(),
	}
	v, strict := newVerifier(t, config), newVerifier(t, config)
	for range 2 {
		for _, attack := range corpus.Tokens {
			for _, one := range []*Verifier{v, strict} {
				clear(strict.current().keysByHeader) // so that it knows no usual header
				_, err := one.Verify(t.Context(), attack.Token)
				if got := reasonOf(err); got != attack.Want {
					t.Errorf("%s: %s: got %s (%v), want %s", attack.Class, attack.Name, got, err, attack.Want)
				}
			}
		}
	}
	for _, attack := range corpus.KeySets {
		if _, err := ParseKeySet([]byte(attack.Text)); err == nil {
			t.Errorf("%s: %s: accepted", attack.Class, attack.Name)
		}
	}
	if len(corpus.Tokens) < 250 || len(corpus.KeySets) < 25 {
		t.Errorf("the corpus has %d tokens and %d key sets only", len(corpus.Tokens), len(corpus.KeySets))
	}
}

// Every token that comes while a revocation list is in force gets what the corpus says, however often it comes; and no list
// that is broken is read.
func TestCorpusOfEndedTokens(t *testing.T) {
	corpus := readCorpus(t)
	for _, c := range corpus.Ended {
		mounted := newVolume(t, nil)
		mounted.updateBoth(corpus.JWKS, []byte(c.List))
		v := newVerifier(t, Config{
			Issuers: map[string]Source{corpus.Issuer: File(mounted.path())}, Audience: corpus.Audience,
			Now: func() time.Time { return time.Unix(corpus.Now, 0) }, Logger: (&log{}).logger(),
		})
		for range 2 {
			if _, err := v.Verify(t.Context(), c.Token); reasonOf(err) != c.Want {
				t.Errorf("%s: %s: got %s (%v), want %s", c.Class, c.Name, reasonOf(err), err, c.Want)
			}
		}
	}
	for _, c := range corpus.RevocationLists {
		if _, err := parseRevocationList([]byte(c.Text)); err == nil {
			t.Errorf("%s: %s: read", c.Class, c.Name)
		}
	}
	if len(corpus.Ended) < 25 || len(corpus.RevocationLists) < 20 {
		t.Errorf("the corpus has %d ended tokens and %d lists only", len(corpus.Ended), len(corpus.RevocationLists))
	}
}

// Every request whose token or proof is not its sender's gets what the corpus says, and honest ones pass.
func TestCorpusOfRequests(t *testing.T) {
	corpus := readCorpus(t)
	path := filepath.Join(t.TempDir(), "main.json")
	must(0, os.WriteFile(path, corpus.JWKS, 0o644))
	for _, c := range corpus.Requests {
		v := newVerifier(t, Config{
			Issuers: map[string]Source{corpus.Issuer: File(path)}, Audience: corpus.Audience, Proof: DPoPOptional, BaseURL: corpus.Audience,
			Now: func() time.Time { return time.Unix(corpus.Now, 0) }, Logger: (&log{}).logger(),
		})
		var err error
		for range c.Sent {
			r := httptest.NewRequest(c.Method, c.URL, nil)
			r.RequestURI = r.URL.Path
			r.Header.Set("Authorization", c.Authorization)
			for _, proof := range c.Proofs {
				r.Header.Add(dpop.Header, proof)
			}
			_, err = v.VerifyRequest(r)
		}
		if got := reasonOf(err); got != c.Want {
			t.Errorf("%s: %s: got %s (%v), want %s", c.Class, c.Name, got, err, c.Want)
		}
	}
	if len(corpus.Requests) < 60 {
		t.Errorf("the corpus has %d requests only", len(corpus.Requests))
	}
}
