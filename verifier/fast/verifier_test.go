package fast_test

import (
	"crypto/fips140"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keywright/keywright/verifier"
	"github.com/keywright/keywright/verifier/fast"
)

// Every attack on a verifier is refused, and what is valid is accepted, when the keys are prepared as when they are not.
func TestAttacks(t *testing.T) {
	var corpus struct {
		Issuer, Audience string
		Now              int64
		JWKS             json.RawMessage
		Tokens           []struct{ Class, Name, Token string }
	}
	text, err := os.ReadFile(filepath.Join("..", "testdata", "attacks.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &corpus); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "main.json")
	if err := os.WriteFile(path, corpus.JWKS, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		config := verifier.Config{
			Issuers: map[string]verifier.Source{corpus.Issuer: verifier.File(path)}, Audience: corpus.Audience, PollInterval: time.Minute,
			Now: func() time.Time { return time.Unix(corpus.Now, 0) }, Logger: slog.New(slog.NewTextHandler(&said, nil)),
		}
		standard, err := verifier.New(config)
		if err != nil {
			t.Fatal(err)
		}
		defer standard.Close()
		config.Accelerator = fast.New()
		prepared, err := verifier.New(config)
		if err != nil {
			t.Fatal(err)
		}
		defer prepared.Close()
		synctest.Wait()
		if strings.Contains(said.String(), "keys prepared") == fips140.Enabled() {
			t.Errorf("the keys are prepared in FIPS mode alone: %s", said.String())
		}
		accepted := 0
		for _, attack := range corpus.Tokens {
			_, want := standard.Verify(t.Context(), attack.Token)
			_, got := prepared.Verify(t.Context(), attack.Token)
			if want == nil {
				accepted++
			}
			if (got == nil) != (want == nil) || errors.Is(got, verifier.ErrBadSignature) != errors.Is(want, verifier.ErrBadSignature) {
				t.Errorf("%s: %s: %v, and without fast: %v", attack.Class, attack.Name, got, want)
			}
		}
		if accepted == 0 {
			t.Error("no token of the corpus is accepted")
		}
	})
}
