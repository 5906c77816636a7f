package jwtverify_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/issuer/jwtverify"
)

// While the keys cannot be read, a JWT with a new kid is not bad. One that a new key would not make good is.
func TestNewKeyWhileTheKeysCannotBeRead(t *testing.T) {
	k, next := key(t, "ES256", "one"), key(t, "ES256", "two")
	answer, err := json.Marshal(set(k))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keys.json")
	write := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verify := func(compact string) error {
		t.Helper()
		parsed, err := jwtverify.Parse(compact)
		if err != nil {
			t.Fatal(err)
		}
		keys := jwtverify.NewKeySet("them", jwtverify.KeySource{File: file}, func(error) {}, nobody)
		write(answer)
		stranger, err := jwtverify.Parse(sign(t, next, claims(), nil))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Verify(t.Context(), stranger, want, anybody, now); !errors.Is(err, jwtverify.ErrUnknownKey) {
			t.Errorf("a new kid while the keys can be read: %v", err)
		}
		write([]byte("broken"))
		var first error
		for range 3 { // also when it is too soon to read them again
			_, first = keys.Verify(t.Context(), parsed, want, anybody, now)
		}
		return first
	}
	for name, c := range map[string]struct {
		compact string
		want    error
	}{
		"a new kid":         {sign(t, next, claims(), nil), jwtverify.ErrKeysUnavailable},
		"a known kid":       {sign(t, k, claims(), nil), nil},
		"expired":           {sign(t, next, claims("exp", fmt.Sprint(now.Unix()-3600)), nil), jwtverify.ErrUnknownKey},
		"for somebody else": {sign(t, next, claims("aud", `"x"`), nil), jwtverify.ErrUnknownKey},
		"another issuer":    {sign(t, next, claims("iss", `"x"`), nil), jwtverify.ErrUnknownKey},
		"no subject":        {sign(t, next, claims("sub", ""), nil), jwtverify.ErrUnknownKey},
	} {
		if err := verify(c.compact); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	forged := sign(t, k, claims(), nil)
	if err := verify(forged[:len(forged)-8] + "AAAAAAAA"); err == nil || errors.Is(err, jwtverify.ErrKeysUnavailable) {
		t.Errorf("forged, with a known kid: %v", err)
	}
	keys := jwtverify.NewKeySet("them", jwtverify.KeySource{File: file}, func(error) {}, nobody)
	parsed, err := jwtverify.Parse(sign(t, next, claims(), nil))
	if err != nil {
		t.Fatal(err)
	}
	write([]byte("broken"))
	if _, err := keys.Verify(t.Context(), parsed, want, anybody, now); !errors.Is(err, jwtverify.ErrKeysUnavailable) {
		t.Errorf("before there are keys: %v", err)
	}
	write(answer)
	if _, err := keys.Verify(t.Context(), parsed, want, anybody, now); !errors.Is(err, jwtverify.ErrUnknownKey) {
		t.Errorf("readable again: %v", err)
	}
}

// Each reading has a connection of its own, so none can be dead: one that is kept may be used by HTTP/2 for many minutes after its
// peer has gone.
func TestNoConnectionIsKept(t *testing.T) {
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer, _ := json.Marshal(jose.JSONWebKeySet{})
		_, _ = w.Write(answer)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	keys := jwtverify.NewKeySet("them", jwtverify.KeySource{URL: server.URL, CAFile: certificateOf(t, server)}, func(err error) {
		if err == nil || !strings.Contains(err.Error(), "JWKS") {
			t.Error(err)
		}
	}, nobody)
	parsed, err := jwtverify.Parse(sign(t, key(t, "ES256", "one"), claims(), nil))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, _ = keys.Verify(t.Context(), parsed, want, anybody, now)
	}
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections for two readings", n)
	}
}
