package jwtverify_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/issuer/jwtverify"
)

func nobody([]string) {}

var anybody = jwtverify.Asker{Name: "client", Known: true}

// Strangers with invented key IDs use up their own looks at the keys, and not those of a client that has a token of a new key.
func TestStrangersSpendNothingOfOthers(t *testing.T) {
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
		stranger := jwtverify.Asker{Name: fmt.Sprint("public 192.0.2.", i, "/32")}
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

// A key that cannot be used is left out, and takes the others not along (RFC 7517 section 5).
func TestKeysThatAreLeftOut(t *testing.T) {
	good, err := json.Marshal(set(key(t, "RS256", "c1")).Keys[0])
	if err != nil {
		t.Fatal(err)
	}
	private, err := json.Marshal(key(t, "ES256", "p"))
	if err != nil {
		t.Fatal(err)
	}
	same := func(edit ...string) string { return strings.NewReplacer(edit...).Replace(string(good)) }
	other, err := json.Marshal(set(key(t, "RS256", "c1")).Keys[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		beside string
		says   string
	}{
		"1024 bits":             {`{"kty":"RSA","kid":"weak","n":"` + strings.Repeat("qqqq", 42) + `qqs","e":"AQAB"}`, "2048 to 8192 bits"},
		"a private key":         {string(private), "not public"},
		"a symmetric key":       {`{"kty":"oct","k":"AAAA","kid":"o"}`, "not public"},
		"to encrypt":            {same(`"c1"`, `"c2"`, `"use":"sig"`, `"use":"enc"`), ""},
		"to sign with":          {`{"key_ops":["sign"],` + same(`"c1"`, `"c2"`)[1:], ""},
		"another algorithm":     {same(`"RS256"`, `"RS384"`), ""},
		"itself":                {string(good), ""},
		"a certificate":         {`{"x5c":["AAAA"],"x5t":"no",` + same(`"c1"`, `"c2"`)[1:], ""},
		"members of two values": {`{"kty":"RSA","kty":"EC"}`, "ambiguous"},
	} {
		keys, leftOut, err := jwtverify.ParseKeySet([]byte(`{"keys":[` + c.beside + "," + string(good) + "]}"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if said := strings.Join(leftOut, "; "); !strings.Contains(said, c.says) || (c.says == "") != (said == "") {
			t.Errorf("%s: %q", name, said)
		}
		if !holds(keys.Keys, "c1") {
			t.Errorf("%s: the good key is gone", name)
		}
	}
	keys, leftOut, err := jwtverify.ParseKeySet([]byte(`{"keys":[` + string(good) + "," + string(other) + "," + same(`"c1"`, `"c3"`) + "]}"))
	if err != nil || holds(keys.Keys, "c1") || !strings.Contains(strings.Join(leftOut, ""), "2 keys have the kid") {
		t.Errorf("two keys that a token cannot tell apart: %v %v %v", keys, leftOut, err)
	}
}

func holds(keys []jose.JSONWebKey, kid string) bool {
	return slices.ContainsFunc(keys, func(k jose.JSONWebKey) bool { return k.KeyID == kid })
}
