package jwtverify_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/keywright/keywright/issuer/jwtverify"
)

func nobody([]string) {}

var anybody = jwtverify.Requester{Name: "client", Authenticated: true}

// Strangers with invented key IDs use up their own looks at the keys, and not those of a client that has a token of a new key.
func TestUnauthenticatedClientsDoNotUseFetchesOfOthers(t *testing.T) {
	old, next := key(t, "ES256", "old"), key(t, "ES256", "next")
	file := filepath.Join(t.TempDir(), "keys.json")
	write := func(v any) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(set(old))
	reads := 0
	keys := jwtverify.NewKeySet("them", jwtverify.KeySource{File: file}, func(error) { reads++ }, nobody)
	parsed := func(compact string) *jwtverify.Unverified {
		u, err := jwtverify.Parse(compact)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for i := range 200 {
		stranger := jwtverify.Requester{Name: fmt.Sprint("public 192.0.2.", i, "/32")}
		invented := parsed(sign(t, key(t, "ES256", fmt.Sprint("invented", i)), claims(), nil))
		if _, err := keys.Verify(t.Context(), invented, want, stranger, now); !errors.Is(err, jwtverify.ErrUnknownKey) {
			t.Fatal(err)
		}
	}
	if reads > 30 {
		t.Errorf("strangers had the keys read %d times", reads)
	}
	write(set(old, next))
	if _, err := keys.Verify(t.Context(), parsed(sign(t, next, claims(), nil)), want, anybody, now); err != nil {
		t.Errorf("a token of a key just published: %v", err)
	}
}
