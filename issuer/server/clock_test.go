package server_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keywright/keywright/verifier"
)

// The clocks of issuer and verifier differ. Within the clock skew nothing is lost; by more, tokens are refused with the error
// that says which way, and as soon as the clock is right again they are not.
func TestClocksDiffer(t *testing.T) {
	for _, c := range []struct {
		ahead, later time.Duration
		want         error
	}{
		{0, 0, nil},
		{59 * time.Second, 0, nil},
		{-59 * time.Second, 0, nil},
		{-59 * time.Second, 4 * time.Minute, nil}, // a token lives for 5 minutes
		{5 * time.Minute, 0, verifier.ErrNotYetValid},
		{-5 * time.Minute, 2 * time.Minute, verifier.ErrExpired},
	} {
		t.Run(c.ahead.String(), func(t *testing.T) {
			w := prepare(t)
			w.useKey("ES256", newKey(t))
			w.ahead = c.ahead
			w.start()
			issued := w.post(alice())
			token, ok := issued.fields["access_token"].(string)
			if !ok {
				t.Fatal(issued.body)
			}
			file := filepath.Join(t.TempDir(), "platform.json")
			w.must(os.WriteFile(file, []byte(w.jwks), 0o600))
			at := func(shift time.Duration) error {
				v, err := verifier.New(verifier.Config{
					Issuers: map[string]verifier.Source{issuerURL: verifier.File(file)}, Audience: audience,
					Now: func() time.Time { return time.Now().Add(shift) },
				})
				w.must(err)
				defer v.Close()
				_, err = v.Verify(t.Context(), token)
				return err
			}
			if err := at(c.later); !errors.Is(err, c.want) {
				t.Errorf("the verifier says %v, want %v", err, c.want)
			}
			if err := at(c.ahead); err != nil {
				t.Errorf("with the issuer's own clock: %v", err)
			}
		})
	}
}
